"""One end of a TLS connection without any I/O: what arrived goes in, what is to be sent comes out."""

import contextlib
import ssl
from typing import Final

# The buffers between OpenSSL and us keep the size that they once grew to, so neither is ever given more than this.
_PIECE: Final = 64 * 1024


class TlsEngine:
    """TLS over bytes. `ready` says that the handshake is over, `over` that the peer has ended the connection in TLS.

    Every call may leave bytes for the peer, which are to be taken with `outgoing` after it, also when it raises
    ssl.SSLError: then they are the alert that tells the peer why.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "_taken", "over", "ready")

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._taken: list[bytes] = []
        self.ready = False
        self.over = False

    def receive(self, data: bytes) -> bytes:
        """The plain bytes that `data` completes; empty during the handshake, which a client begins with no data."""
        plain: list[bytes] = []
        for at in range(0, len(data) or 1, _PIECE):
            self._incoming.write(data[at : at + _PIECE])
            if self.ready or self._shake_hands():
                self._read(plain)
        return plain[0] if len(plain) == 1 else b"".join(plain)

    def send(self, data: bytes) -> None:
        """Encrypt `data`, which may only begin once the engine is `ready`."""
        view = memoryview(data)
        while view:
            view = view[self._object.write(view[:_PIECE]) :]
            self._take()

    def close(self) -> None:
        """Say in TLS that nothing more will be sent."""
        if self.ready:
            # The first half of it is done; it waits for the peer's half, which we do not.
            with contextlib.suppress(ssl.SSLError):
                self._object.unwrap()

    def outgoing(self) -> bytes:
        """Everything for the peer since the last call."""
        self._take()
        taken, self._taken = self._taken, []
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def peer_certificate(self) -> bytes | None:
        """The peer's certificate in DER, verified if the context verifies; None if it has shown none."""
        return self._object.getpeercert(binary_form=True)

    @property
    def context(self) -> ssl.SSLContext:
        """The context that it was made with."""
        return self._object.context

    def cipher(self) -> str:
        """OpenSSL's name of the cipher in use."""
        cipher = self._object.cipher()
        return cipher[0] if cipher else ""

    def _shake_hands(self) -> bool:
        with contextlib.suppress(ssl.SSLWantReadError):
            self._object.do_handshake()
            self.ready = True
        return self.ready

    def _read(self, plain: list[bytes]) -> None:
        try:
            # A look before each read is cheaper than the exception that ends them otherwise.
            while not self.over and (self._incoming.pending or self._object.pending()):
                piece = self._object.read(_PIECE)
                plain.append(piece)
                self.over = not piece
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            # The peer's end where we have said ours already.
            self.over = True

    def _take(self) -> None:
        if self._outgoing.pending:
            self._taken.append(self._outgoing.read())
