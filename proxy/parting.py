"""Closing a connection whose peer is still sending, so that it gets to read what it was told.

Closed with bytes unread, a connection is reset, and a reset can overtake the error packet before it. So the peer is
told that nothing more will come, and what it sends is dropped for a while.
"""

import asyncio
from typing import Final

# Seconds that a peer has to notice that it was refused.
_PATIENCE: Final = 5.0


class _Parting(asyncio.Protocol):
    """Drops everything until the peer closes, or time is up."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._timer.cancel()


def part(transport: asyncio.Transport) -> None:
    """Close `transport` for its present protocol at once, and for the peer once it has stopped sending."""
    if transport.is_closing():
        return
    transport.set_protocol(_Parting(transport))
    transport.resume_reading()
    if transport.can_write_eof():
        transport.write_eof()
