"""What clients are greeted with: the primary's own greeting, once it is known."""

from dataclasses import replace
from typing import Final

from proxy.errors import ServerLost
from proxy.session.login.judge import default_plugin
from proxy.session.shared.absence import Absence
from proxy.session.shared.context import Context
from proxy.sql.cache import StatementCache
from proxy.wire import constants as c
from proxy.wire.capabilities import offered
from proxy.wire.collations import UTF8MB4
from proxy.wire.compression import COMPRESSION_FLAGS, Algorithm
from proxy.wire.handshake import Greeting
from proxy.wire.replies import Err
from topology.servers import Observation

# Drivers take the part in front of the first dot for a number.
_MAKESHIFT_VERSION: Final = "8.0.0-manyreads"


async def when_served(context: Context, nonce: bytes, until: float) -> tuple[Observation, StatementCache, Greeting]:
    """What is known of the primary, and what it says to its clients, once it is there.

    Raises SessionError: ServerLost if it is `until`, by the event loop's clock, before that.
    """
    absence = Absence(context.monitor, context.settings.primary_wait)
    while True:
        try:
            primary, cache = _served(context)
            return primary, cache, await _greeting(context, primary, nonce)
        except ServerLost:
            if not await absence.over(until):
                raise


def makeshift(context: Context, nonce: bytes) -> Greeting:
    """For a client that is refused because no greeting of the primary is known.

    What it answers tells which error numbers it takes. Before that MariaDB's C connector takes few, and shows no
    message with others.
    """
    flags = offered(c.CLIENT_LONG_PASSWORD, c.CLIENT_SSL if context.tls else 0)
    number, status = next(context.connection_ids), c.SERVER_STATUS_AUTOCOMMIT
    return Greeting(_MAKESHIFT_VERSION, number, nonce, flags, UTF8MB4, status, c.NATIVE_PASSWORD)


def _served(context: Context) -> tuple[Observation, StatementCache]:
    state = context.monitor.snapshot.primary
    if state.observation is None or context.cache is None:
        message = f"Can't connect to MySQL server {state.server}: {state.reason}"
        raise ServerLost(Err(c.CR_CONN_HOST, message))
    return state.observation, context.cache


def _added(context: Context) -> int:
    """What the proxy does by itself."""
    flags = c.CLIENT_SSL if context.tls else 0
    return flags | sum(COMPRESSION_FLAGS[Algorithm(name)] for name in context.settings.compression)


async def _greeting(context: Context, primary: Observation, nonce: bytes) -> Greeting:
    """The primary's own greeting, as far as it is not about one connection."""
    greeting = await context.greetings.of(context.monitor.snapshot.primary.server, primary.version)
    return replace(
        greeting,
        connection_id=next(context.connection_ids),
        nonce=nonce,
        capabilities=offered(greeting.capabilities, _added(context)),
        plugin=default_plugin(primary),
    )
