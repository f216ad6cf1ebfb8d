"""The base of what stands between a transport and a protocol: to the one a protocol, to the other a transport."""

import asyncio
from typing import Any


class Layer(asyncio.Transport, asyncio.Protocol):
    """Passes everything on. Who derives from it changes the bytes, in `write` and `data_received`.

    Back-pressure works as without it: buffers are those of the transport `below`, which tells the protocol `above`.
    """

    def __init__(self, below: asyncio.Transport, above: asyncio.Protocol) -> None:
        super().__init__()
        self._below = below
        self._above = above

    def take_over(self) -> None:
        """Get what arrives below from now on."""
        self._below.set_protocol(self)

    # --- a protocol to what is below ---------------------------------------------------------------------------------

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport below."""
        self._above.connection_lost(exc)

    def pause_writing(self) -> None:
        """Called by the transport below."""
        self._above.pause_writing()

    def resume_writing(self) -> None:
        """Called by the transport below."""
        self._above.resume_writing()

    def lowest(self) -> "Layer":
        """The layer that the bytes of the socket come to."""
        return self._below.lowest() if isinstance(self._below, Layer) else self

    # --- a transport to what is above --------------------------------------------------------------------------------

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol above."""
        return self._above

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """From now on `protocol` is the one above."""
        assert isinstance(protocol, asyncio.Protocol)
        self._above = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport below says."""
        return self._below.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether the transport below closes."""
        return self._below.is_closing()

    def close(self) -> None:
        """Close once everything is sent."""
        self._below.close()

    def abort(self) -> None:
        """Close now."""
        self._below.abort()

    def pause_reading(self) -> None:
        """Stop reading below."""
        self._below.pause_reading()

    def resume_reading(self) -> None:
        """Read on below."""
        self._below.resume_reading()

    def is_reading(self) -> bool:
        """Whether the transport below reads."""
        return self._below.is_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Limits of the transport below, so of bytes as they go to the socket."""
        self._below.set_write_buffer_limits(high=high, low=low)

    def get_write_buffer_size(self) -> int:
        """Bytes that wait below."""
        return self._below.get_write_buffer_size()

    def can_write_eof(self) -> bool:
        """Neither TLS nor compression has a half-closed state that MySQL would use."""
        return False
