"""A statement that has run, as the log of statements and their spans tell of it."""

from dataclasses import dataclass

from proxy.session.core.request import Request
from proxy.wire import constants as c
from proxy.wire.queryattributes import text_of
from topology.servers import Server, Vendor


@dataclass(frozen=True, slots=True)
class Whose:
    """The session: its `user`, the client's `address` (host:port), the servers' `vendor` if it is known.

    `attributes` says that its queries have room for query attributes.
    """

    user: str
    address: str
    vendor: Vendor | None = None
    attributes: bool = False


# Not frozen: that would make one for each statement three times as slow.
@dataclass(slots=True)
class Ran:
    """One statement that ran on `server`, for `seconds` from when it came; `queued` and `served` are parts of that.

    `server` is None if the proxy refused it itself. `rows` is how many it gave.
    """

    request: Request
    server: Server | None
    whose: Whose
    errno: int
    rows: int
    seconds: float
    queued: float
    served: float

    @property
    def text(self) -> bytes:
        """As the client sent it, without query attributes; that of a prepared statement has placeholders.

        Raises MalformedPacket.
        """
        prepared = self.request.prepared
        if prepared is not None:
            return prepared.packet[c.HEADER_SIZE + 1 :]
        packet = self.request.packet
        return text_of(packet) if self.whose.attributes else packet[c.HEADER_SIZE + 1 :]
