"""What a client sends that is passed on piece by piece: a command too large to be held, or a file. Pure."""

from proxy.wire.replies import Err
from proxy.wire.stream import BodyStream, FileStream, PacketNumbers


class Passage:
    """One of them, of which `body` finds the end. `numbers` gives its packets new ones, where a client's may be wrong.

    The first `skip` bytes are the header of a command, which was read already. `wanted` says that a server gets it.
    Otherwise it is only read, and then answered with `refusal` if there is one. `answered` says that a server gives a
    reply to it.
    """

    def __init__(
        self,
        body: BodyStream | FileStream,
        numbers: PacketNumbers | None,
        *,
        wanted: bool = True,
        refusal: Err | None = None,
        answered: bool = True,
        skip: int = 0,
    ) -> None:
        self._body = body
        self._numbers = numbers
        self.wanted = wanted
        self.refusal = refusal
        self.answered = answered
        self._skip = skip

    @property
    def done(self) -> bool:
        """Whether the end was seen."""
        return self._body.done

    @property
    def is_file(self) -> bool:
        """Whether it is a file, and no command."""
        return isinstance(self._body, FileStream)

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """The next bytes: what of them goes to the server, and what is behind the end."""
        used = self._skip + self._body.feed(data[self._skip :] if self._skip else data)
        self._skip = 0
        piece = data[:used] if self._numbers is None else self._numbers.renumbered(data[:used])
        return piece, data[used:]

    @property
    def last(self) -> int:
        """The number of its last packet, as the server has seen it."""
        if self._numbers is not None:
            return self._numbers.last
        return self._body.sequence if isinstance(self._body, FileStream) else (self._body.packets - 1) & 0xFF
