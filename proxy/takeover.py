"""Handing the listening sockets over to the process that comes after this one, so that no client is refused."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final

from proxy.sockets import SERVING, Sockets, pass_on

log = logging.getLogger(__name__)

# So long a successor may take from having the sockets until it serves, in seconds.
_PATIENCE: Final = 120.0


async def offer(server: socket.socket, sockets: Callable[[], Sockets]) -> None:
    """Wait for a successor at `server` and give it the sockets; returns once one serves."""
    loop, served = asyncio.get_running_loop(), False
    with server:
        while not served:
            peer, _ = await loop.sock_accept(server)
            with peer:
                served = await _serves(peer, sockets())


async def _serves(peer: socket.socket, sockets: Sockets) -> bool:
    """Whether a successor does its work with the sockets. For a moment both listen, and either may serve a client."""
    peer.setblocking(False)
    log.info("another process takes over")
    try:
        pass_on(peer, sockets)
        async with asyncio.timeout(_PATIENCE):
            said = await asyncio.get_running_loop().sock_recv(peer, len(SERVING))
    except (OSError, TimeoutError) as error:
        log.warning("the other process does not serve, so this one goes on: %s", error)
        return False
    if said != SERVING:
        log.warning("the other process has ended, so this one goes on")
    return said == SERVING
