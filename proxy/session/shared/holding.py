"""Holding writes at an operator's wish, so that the primary can be changed without an error for any client."""

import asyncio
import logging
from typing import Final

from proxy.session.shared.colleagues import Gone, Held
from proxy.session.shared.context import Context
from proxy.session.shared.rights import NO_SUPER, may_command
from proxy.sql.own import Writes
from proxy.wire import constants as c
from proxy.wire.replies import Err

log = logging.getLogger(__name__)

# How often it is looked whether everything is over that had begun.
_PAUSE: Final = 0.01
# Who is primary by now is waited for so long, in seconds; servers may be away.
_LONGEST_LOOK: Final = 10.0


async def hold(context: Context, writes: Writes, user: str, address: str, gone: Gone) -> Err | None:
    """Do as a user wants, and return when that is done; or with the error why it is not.

    `gone` tells that nobody waits for it any more.
    """
    if not may_command(context, user, address):
        return NO_SUPER
    if not writes.seconds:
        await _resume(context)
        return None
    return await _pause(context, writes.seconds, gone)


async def _pause(context: Context, seconds: float, gone: Gone) -> Err | None:
    """Hold writes; it is done when nothing is under way any more that had begun before."""
    held = await context.colleagues.hold(seconds, gone)
    if held.held:
        return None
    log.warning("writes are not held any more: %d sessions were in the middle of something", held.left)
    message = f"{held.left} sessions were still in a transaction or at a write after {seconds:g} s; writes go on"
    return Err(c.ER_LOCK_WAIT_TIMEOUT, message)


async def hold_here(context: Context, seconds: float, gone: Gone) -> Held:
    """Hold the writes of this process's sessions."""
    gate, clock = context.gate, asyncio.get_running_loop().time
    until = clock() + seconds
    log.warning("writes and new transactions are held for %g s at most", seconds)
    gate.pause(seconds)
    while (left := sum(session.engaged for session in context.sessions)) and gate.paused:
        if gone() or clock() >= until:
            gate.resume()
        await asyncio.sleep(_PAUSE)
    return Held(left, gate.paused and not left)


async def _resume(context: Context) -> None:
    """Let writes go on, at the server that is the primary by now."""
    try:
        async with asyncio.timeout(_LONGEST_LOOK):
            await context.monitor.look_twice()
    except TimeoutError:
        log.warning("not all servers could be asked how they are")
    await context.colleagues.resume()
    log.warning("writes go on at %s", context.monitor.snapshot.primary.server)
