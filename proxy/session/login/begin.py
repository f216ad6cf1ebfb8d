"""Making a session for a client that was verified: its connection to the primary, its first state, the OK packet."""

from proxy.backend.connection import BackendConnection, Owner
from proxy.backend.login import Identity, identity_of, open_connection
from proxy.errors import ServerLost, ServerRefused
from proxy.session.client import Changer, ClientSession
from proxy.session.login.arrival import ClientChannel
from proxy.session.login.compression import compressing
from proxy.session.login.firststate import first_state, new_machine
from proxy.session.login.judge import Judge
from proxy.session.running.runner import Runner
from proxy.session.shared.context import Context
from proxy.sql.cache import StatementCache
from proxy.tls.context import fingerprint_of
from proxy.wire.certificateproof import certificate_proof
from proxy.wire.dialogues import Accept
from proxy.wire.handshake import HandshakeResponse
from proxy.wire.replies import Ok, ok_payload
from proxy.wire.sessiontrack import with_state
from topology.servers import Observation, Vendor


class Beginning:
    """The last part of one login. `connection_id` and `nonce` are those that the client was greeted with."""

    def __init__(
        self, context: Context, channel: ClientChannel, judge: Judge, connection_id: int, nonce: bytes
    ) -> None:
        self._context = context
        self._channel = channel
        self._judge = judge
        self._connection_id = connection_id
        self._nonce = nonce

    async def begin(
        self,
        response: HandshakeResponse,
        accept: Accept,
        primary: Observation,
        cache: StatementCache,
        changer: Changer,
    ) -> None:
        """Open the session; `response` has no flag that was not offered.

        Raises SessionError: the primary has the last word on the account.
        """
        if accept.last:
            self._channel.send(accept.last)
        context, identity = self._context, identity_of(response, accept.secret, self._judge.origin)
        state = first_state(response.database, response.collation_id, response.capabilities, primary, context.settings)
        machine = new_machine(
            cache,
            state,
            primary,
            context.settings,
            identity.capabilities,
            context.rules,
            identity.user,
            context.forms,
            context.memory,
        )
        session = ClientSession(context, identity, machine, self._channel.name, self._connection_id, changer)
        try:
            link = await self._reach_primary(session.runner, identity)
            state.status = link.status
            rest = with_state(self._proof(accept, primary), link.welcome)
            self._channel.send(ok_payload(Ok(status=link.status), rest=rest))
            self._channel.hand_over(session, compressing(response, session.refuse_malformed))
        except BaseException:
            session.runner.close(under_way=False)
            raise

    def _proof(self, accept: Accept, primary: Observation) -> bytes:
        """What lets a client of MariaDB trust the proxy's certificate. Other servers have no such thing."""
        tls = self._channel.tls
        if tls is None or primary.vendor is not Vendor.MARIADB:
            return b""
        return certificate_proof(accept.hashed, self._nonce, fingerprint_of(tls.context))

    async def _reach_primary(self, runner: Runner, identity: Identity) -> BackendConnection:
        """The session's connection to the primary, which has the last word on the account."""
        try:
            return await runner.reach_primary()
        except ServerRefused as error:
            raise await self._judge.refused_by_primary(identity.user, error) from None


async def open_to_primary(context: Context, identity: Identity, owner: Owner, judge: Judge) -> BackendConnection:
    """A client's connection to the primary, which has the last word on the account. Raises SessionError."""
    server = context.monitor.snapshot.primary.server
    try:
        link = await open_connection(server, identity, owner, context.settings.connect_timeout, context.greetings)
    except ServerLost as error:
        context.monitor.report_failure(server, error.err.message)
        raise
    except ServerRefused as error:
        raise await judge.refused_by_primary(identity.user, error) from None
    return link
