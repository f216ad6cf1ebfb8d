"""Making a session for a client that was verified: its connection to the primary, its first state, the OK packet."""

from proxy.backend.login import identity_of, open_connection, server_lost
from proxy.errors import ServerLost, ServerRefused
from proxy.routing.state import Baseline, SessionState
from proxy.session.arrival import ClientChannel
from proxy.session.client import ClientSession
from proxy.session.context import Context
from proxy.session.judge import Judge
from proxy.session.machine import Machine
from proxy.session.statements import Limits
from proxy.sql.cache import StatementCache
from proxy.wire import constants as c
from proxy.wire.collations import charset_of
from proxy.wire.dialogues import Accept
from proxy.wire.handshake import HandshakeResponse
from proxy.wire.replies import Ok, ok_payload
from topology.config import Settings
from topology.servers import Observation, Vendor


class Beginning:
    """The last part of one login. `connection_id` is the one that the client was greeted with."""

    def __init__(self, context: Context, channel: ClientChannel, judge: Judge, connection_id: int) -> None:
        self._context = context
        self._channel = channel
        self._judge = judge
        self._connection_id = connection_id

    async def begin(
        self, response: HandshakeResponse, accept: Accept, primary: Observation, cache: StatementCache
    ) -> None:
        """Open the session; `response` has no flag that was not offered.

        Raises SessionError: the primary has the last word on the account.
        """
        if accept.last:
            self._channel.send(accept.last)
        context, identity = self._context, identity_of(response, accept.secret)
        state = SessionState(response.database, 0, _baseline(response, primary))
        vendor, limits = primary.vendor or Vendor.MYSQL, _limits(context.settings)
        machine = Machine(cache, state, vendor, limits, identity.capabilities)
        session = ClientSession(context, identity, machine, self._channel.name, self._connection_id)
        server = context.monitor.snapshot.primary.server
        try:
            within = context.settings.connect_timeout
            link = await open_connection(server, identity, session.runner, within, context.greetings)
        except ServerLost as error:
            context.monitor.report_failure(server, error.err.message)
            raise
        except ServerRefused as error:
            raise await self._judge.refused_by_primary(response.user, error) from None
        if not link.alive:
            raise ServerLost(server_lost(server, "closed after the login"))
        state.status = link.status
        self._channel.send(ok_payload(Ok(status=link.status)))
        try:
            session.runner.adopt(link)
            self._channel.hand_over(session)
        except ConnectionError:
            link.close()
            raise


def _limits(settings: Settings) -> Limits:
    return Limits(settings.statements_per_connection, settings.long_data_limit)


def _baseline(response: HandshakeResponse, primary: Observation) -> Baseline:
    """What the server makes of a session by itself. A reset goes back to the client's character set on MariaDB, to the
    server's own on MySQL."""
    ignore_space = ",IGNORE_SPACE" if response.capabilities & c.CLIENT_IGNORE_SPACE else ""
    own = charset_of(primary.collation_id)
    charset = charset_of(response.collation_id) or own
    return Baseline(primary.sql_mode + ignore_space, charset, charset if primary.vendor is Vendor.MARIADB else own)
