"""COM_CHANGE_USER: another user on the connection of a session.

The new user is verified as at a login, then the session's connection to the primary is made that user's by the same
command, so that limits on connections count as without a proxy. The session begins anew on that connection.
"""

import asyncio
import logging
from dataclasses import dataclass, replace

from proxy.accounts.requirements import Shown
from proxy.accounts.table import host_names
from proxy.backend.connection import BackendConnection
from proxy.backend.login import Identity, change_user, identity_of, server_lost
from proxy.backend.origin import Origin
from proxy.channel import PacketChannel
from proxy.errors import ClientFault, ServerLost, ServerRefused, SessionError
from proxy.logs import audit
from proxy.session.client import ClientSession
from proxy.session.core.understood import understood
from proxy.session.login.begin import open_to_primary
from proxy.session.login.firststate import first_state, new_machine
from proxy.session.login.judge import Judge, access_denied, seen_from, wrong_secret
from proxy.session.shared.context import Context
from proxy.sql.cache import StatementCache
from proxy.wire import constants as c
from proxy.wire.changeuser import ChangeUser, parse_change_user
from proxy.wire.dialogues import Accept, Deny
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import HandshakeResponse
from proxy.wire.replies import Err, Ok, err_payload, ok_payload
from proxy.wire.serverlogin import ServerLogin
from proxy.wire.sessiontrack import with_state
from topology.servers import Observation, Vendor

log = logging.getLogger(__name__)

# In the servers' words, for a COM_CHANGE_USER that they cannot read.
_UNREADABLE = Err(c.ER_UNKNOWN_COM, "Unknown command", "08S01")


@dataclass(frozen=True, slots=True)
class UserChange:
    """Changes the user of one client.

    `response` is that of its login, without the flags that were not offered; `flags` are all that the client sent.

    `nonce` is that of the login too, as with MariaDB: libmariadb 3.3 keeps to it for mysql_native_password, whatever
    comes with a request to switch.
    """

    context: Context
    response: HandshakeResponse
    flags: int
    nonce: bytes
    origin: Origin
    name: str
    private: bool
    primary: Observation
    cache: StatementCache
    shown: Shown

    async def change(self, session: ClientSession, channel: PacketChannel, payload: bytes) -> None:
        """Called by the session."""
        try:
            await _Change(self, session, channel).run(payload)
        except SessionError as error:
            log.info("%s: change of user refused: %s", self.name, error)
            audit("login refused", client=self.origin.address, error=error.err.message)
            channel.send(err_payload(understood(error.err, self.response.attributes)))
            session.close()
        except MalformedPacket as error:
            log.warning("%s: malformed packet in a change of user: %s; connection closed", self.name, error)
            channel.send(err_payload(_UNREADABLE))
            session.close()
        except ConnectionError as error:
            log.debug("%s: gone during a change of user: %s", self.name, error)
            session.close()
        except BaseException:
            session.close()
            raise


class _Change:
    """The steps of one change."""

    def __init__(self, of: UserChange, session: ClientSession, channel: PacketChannel) -> None:
        self._of = of
        self._context = of.context
        self._session = session
        self._channel = channel
        self._judge = Judge(of.context, channel, of.origin, of.shown)

    async def run(self, payload: bytes) -> None:
        wanted = parse_change_user(payload, self._of.response.capabilities)
        try:
            async with asyncio.timeout(self._context.settings.login_timeout):
                outcome = await self._verify(wanted.user)
        except TimeoutError:
            raise ClientFault(Err(c.ER_HANDSHAKE, "The login took too long", "08S01")) from None
        if isinstance(outcome, Accept) and outcome.last:
            self._channel.send(outcome.last)
        link = self._session.runner.release(self._context.monitor.snapshot.primary.server)
        try:
            await self._change(wanted, outcome, link)
        except BaseException:
            if link is not None:
                link.abort("the change of its user failed")
            raise

    async def _verify(self, user: str) -> Accept | Deny:
        of = self._of
        around = self._judge.around(of.nonce, of.private, of.primary)
        return await self._judge.verify_change(ServerLogin(around), user, of.flags, of.primary)

    async def _change(self, wanted: ChangeUser, outcome: Accept | Deny, link: BackendConnection | None) -> None:
        identity = self._identity(wanted, outcome)
        if link is None:
            self._begin(identity, await self._open(identity, outcome))
            return
        try:
            await change_user(link, identity, self._context.settings.connect_timeout)
        except ServerRefused as error:
            await self._refused(identity, outcome, link, error)
            return
        if isinstance(outcome, Deny):
            # An account that changed in between. Its next login will be verified against what it is now.
            raise access_denied(identity.user, host_names(self._of.origin.address)[0], outcome.used_password)
        self._begin(identity, link)

    def _identity(self, wanted: ChangeUser, outcome: Accept | Deny) -> Identity:
        # A wrong password goes to the primary as a wrong password: it counts, logs and words the denial.
        secret = outcome.secret if isinstance(outcome, Accept) else wrong_secret(outcome)
        before = identity_of(self._of.response, secret, self._of.origin)
        return replace(
            before,
            capabilities=before.capabilities | c.CLIENT_CONNECT_WITH_DB,
            user=wanted.user,
            database=wanted.database,
            collation_id=wanted.collation_id,
            attributes=wanted.attributes,
        )

    async def _open(self, identity: Identity, outcome: Accept | Deny) -> BackendConnection:
        """The new user's own connection, for a session that has lost the one it had."""
        if isinstance(outcome, Deny):
            raise await self._judge.denied(identity, outcome)
        return await open_to_primary(self._context, identity, self._session.runner, self._judge)

    async def _refused(
        self, identity: Identity, outcome: Accept | Deny, link: BackendConnection, error: ServerRefused
    ) -> None:
        """MySQL closes now. MariaDB lets the old user go on, with a session that is as after its login."""
        if isinstance(outcome, Accept):
            await self._judge.refused_by_primary(identity.user, error)
        told = seen_from(error.err, identity.user, host_names(self._of.origin.address)[0])
        if self._of.primary.vendor is not Vendor.MARIADB or not link.alive:
            raise ServerRefused(told)
        log.info("%s: change of user refused: %s", self._of.name, error)
        audit("login refused", client=self._of.origin.address, error=told.message)
        self._channel.send(err_payload(told))
        self._session.unchanged(link)

    def _begin(self, identity: Identity, link: BackendConnection) -> None:
        if not link.alive:
            raise ServerLost(server_lost(link.server, "closed after the change of user"))
        state = first_state(
            identity.database, identity.collation_id, identity.capabilities, self._of.primary, self._context.settings
        )
        state.status = link.status
        before = self._session.machine.state
        if self._of.primary.vendor is Vendor.MARIADB and before.has_role:
            # Observed: such a change leaves the role, unless the new user has one by default.
            same = self._session.identity.user == identity.user
            state.keep_role(before.repeatable.settings.roles if same else "")
        self._channel.send(ok_payload(Ok(status=link.status), rest=with_state(b"", link.welcome)))
        of, context = self._of, self._context
        machine = new_machine(
            of.cache,
            state,
            of.primary,
            context.settings,
            identity.capabilities,
            context.rules,
            identity.user,
            context.forms,
            context.memory,
        )
        if identity.capabilities & c.CLIENT_IGNORE_SPACE and self._of.primary.vendor is Vendor.MARIADB:
            # Observed: after this MariaDB has a sql_mode without it, as after a reset, and with it after a login.
            machine.outcomes.reset(link.seen)
        self._session.changed(identity, machine, link)
