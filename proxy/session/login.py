"""Logging one client in: greets it, verifies it against its account, opens its connection to the primary."""

import asyncio
import logging
import secrets
from typing import Final

from proxy.accounts.table import LOCALHOST, Account, host_names
from proxy.backend.login import Identity, open_connection, server_lost
from proxy.channel import PacketChannel
from proxy.errors import ClientFault, ServerLost, ServerRefused, SessionError
from proxy.routing.state import SessionState
from proxy.session.client import ClientSession
from proxy.session.context import Context
from proxy.session.machine import Machine
from proxy.sql.cache import StatementCache
from proxy.sql.settings import unsafe_sql_mode
from proxy.wire import constants as c
from proxy.wire.auth import caching_sha2_verify
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import NONCE_SIZE, Greeting, HandshakeResponse, greeting_payload
from proxy.wire.login import Accept, Credentials, Deny, Secret, Send, ServerLogin, Step, Verify, secret_of
from proxy.wire.replies import Err, Ok, err_payload, ok_payload
from topology.servers import Observation, Vendor

log = logging.getLogger(__name__)

# Servers avoid the NUL, which ends the nonce, and `$`, which their own storage format uses.
_NONCE_BYTES: Final = bytes(byte for byte in range(1, 128) if byte != ord("$"))
# Collations of big5, sjis, gbk, cp932 and gb18030, in which quotes may end elsewhere than in UTF-8.
_UNSAFE_COLLATIONS: Final = frozenset({1, 84, 13, 88, 28, 87, 95, 96, 248, 249, 250})


class ClientChannel(PacketChannel):
    """A client that has just connected."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        super().connection_made(transport)
        task = self._context.spawn(serve_login(self._context, self))
        self._context.logins.add(task)
        task.add_done_callback(self._context.logins.discard)


async def serve_login(context: Context, channel: PacketChannel) -> None:
    """Log the client in, or tell it why not and close."""
    peer = channel.transport.get_extra_info("peername")
    address, port = (peer[0], peer[1]) if peer else ("", 0)
    name = f"client {address}:{port}"
    try:
        await _Login(context, channel, address, name).run()
    except SessionError as error:
        log.info("%s: refused: %s", name, error)
        channel.send(err_payload(error.err))
        channel.transport.close()
    except MalformedPacket as error:
        log.warning("%s: malformed packet during login: %s; connection closed", name, error)
        channel.send(err_payload(Err(c.ER_HANDSHAKE, "Bad handshake", "08S01")))
        channel.transport.close()
    except ConnectionError as error:
        log.debug("%s: gone during login: %s", name, error)
        channel.transport.abort()
    except BaseException:
        channel.transport.abort()
        raise


class _Login:
    """The steps of one login."""

    def __init__(self, context: Context, channel: PacketChannel, address: str, name: str) -> None:
        self._context = context
        self._channel = channel
        self._address = address
        self._name = name

    async def run(self) -> None:
        primary, cache = self._admit()
        login = ServerLogin(_nonce(), self._context.key, private=host_names(self._address)[0] == LOCALHOST)
        self._channel.send(greeting_payload(self._greeting(primary, login.nonce)))
        try:
            async with asyncio.timeout(self._context.settings.login_timeout):
                response = login.response(await self._channel.receive())
                accept = await self._verify(login, response, primary)
        except TimeoutError:
            raise ClientFault(Err(c.ER_HANDSHAKE, "The login took too long", "08S01")) from None
        await self._begin_session(response, accept, primary, cache)

    def _admit(self) -> tuple[Observation, StatementCache]:
        context = self._context
        if context.draining:
            raise ClientFault(Err(c.ER_SERVER_SHUTDOWN, "The proxy is shutting down", "08S01"))
        if len(context.sessions) + len(context.logins) > context.settings.max_connections:
            raise ClientFault(Err(c.ER_CON_COUNT, "Too many connections", "08004"))
        state = context.monitor.snapshot.primary
        if state.observation is None or context.cache is None:
            message = f"Can't connect to MySQL server {state.server}: {state.reason}"
            raise ServerLost(Err(c.CR_CONN_HOST, message))
        return state.observation, context.cache

    def _greeting(self, primary: Observation, nonce: bytes) -> Greeting:
        return Greeting(
            server_version=primary.version,
            connection_id=next(self._context.connection_ids),
            nonce=nonce,
            capabilities=c.OFFERED,
            collation_id=primary.collation_id,
            status=c.SERVER_STATUS_AUTOCOMMIT,
            plugin=_default_plugin(primary),
        )

    async def _verify(self, login: ServerLogin, response: HandshakeResponse, primary: Observation) -> Accept:
        account = await self._find(response.user)
        _refuse_unsupported(account)
        # A stranger must not learn from the dialogue which accounts exist.
        credentials = account.credentials() if account else Credentials(_default_plugin(primary), b"\0")
        step = await self._dialogue(login, login.judge(response, credentials))
        if isinstance(step, Deny):
            step = await self._dialogue(login, await self._second_look(login, response.user, step))
        if isinstance(step, Verify):
            step = await self._verify_password(response.user, step.password, account)
        if not isinstance(step, Accept):
            raise self._denied(response.user, step)
        if account := self._context.directory.find(response.user, self._address):
            self._context.directory.learn(account, step.secret)
        return step

    async def _dialogue(self, login: ServerLogin, step: Step) -> Step:
        """Exchange packets with the client until a step needs none."""
        while isinstance(step, Send):
            self._channel.send(step.payload)
            step = login.answer(await self._channel.receive())
        return step

    async def _find(self, user: str) -> Account | None:
        account = self._context.directory.find(user, self._address)
        if account is None or not account.supported:
            await self._context.directory.refresh_quietly()
            account = self._context.directory.find(user, self._address)
        return account

    async def _verify_password(self, user: str, password: bytes, account: Account | None) -> Step:
        if account is not None and await asyncio.to_thread(caching_sha2_verify, password, account.stored):
            return Accept(secret_of(password))
        await self._context.directory.refresh_quietly()
        newer = self._context.directory.find(user, self._address)
        changed = newer is not None and (account is None or newer.stored != account.stored)
        if newer is not None and changed and await asyncio.to_thread(caching_sha2_verify, password, newer.stored):
            return Accept(secret_of(password))
        return Deny(used_password=True)

    async def _second_look(self, login: ServerLogin, user: str, denied: Deny) -> Step:
        await self._context.directory.refresh_quietly()
        account = self._context.directory.find(user, self._address)
        _refuse_unsupported(account)
        return login.judge_again(account.credentials()) if account is not None else denied

    def _denied(self, user: str, step: Step) -> ClientFault:
        used = "NO" if isinstance(step, Deny) and not step.used_password else "YES"
        host = host_names(self._address)[0]
        message = f"Access denied for user '{user}'@'{host}' (using password: {used})"
        return ClientFault(Err(c.ER_ACCESS_DENIED, message, "28000"))

    async def _refused_by_primary(self, user: str, error: ServerRefused) -> SessionError:
        """What the client is told. MySQL answers for an account that it does not know with a method of its choice."""
        if error.err.errno != c.ER_NOT_SUPPORTED_AUTH_MODE:
            return error
        await self._context.directory.refresh_quietly()
        account = self._context.directory.find(user, self._address)
        if account is not None and not account.supported:
            return error
        return self._denied(user, Deny(used_password=True))

    async def _begin_session(
        self, response: HandshakeResponse, accept: Accept, primary: Observation, cache: StatementCache
    ) -> None:
        if accept.last:
            self._channel.send(accept.last)
        context, identity = self._context, _identity(response, accept.secret)
        state = SessionState(response.database, 0)
        if response.collation_id in _UNSAFE_COLLATIONS:
            state.pin_down("character-set")
        if unsafe_sql_mode(primary.sql_mode):
            state.pin_down("sql-mode")
        session = ClientSession(context, identity, Machine(cache.statement, state), self._name)
        server = context.monitor.snapshot.primary.server
        try:
            link = await open_connection(server, identity, session.runner, context.settings.connect_timeout)
        except ServerLost as error:
            context.monitor.report_failure(server, error.err.message)
            raise
        except ServerRefused as error:
            raise await self._refused_by_primary(response.user, error) from None
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


def _refuse_unsupported(account: Account | None) -> None:
    if account is not None and not account.supported:
        message = f"The account uses the authentication method {account.plugin!r}, which the proxy cannot verify"
        raise ClientFault(Err(c.ER_NOT_SUPPORTED_AUTH_MODE, message, "08004"))


def _identity(response: HandshakeResponse, secret: Secret) -> Identity:
    return Identity(
        user=response.user,
        secret=secret,
        capabilities=response.capabilities & c.OFFERED,
        max_packet_size=response.max_packet_size,
        collation_id=response.collation_id,
        database=response.database,
        attributes=response.attributes,
    )


def _default_plugin(primary: Observation) -> str:
    return c.NATIVE_PASSWORD if primary.vendor is Vendor.MARIADB else c.CACHING_SHA2


def _nonce() -> bytes:
    return bytes(secrets.choice(_NONCE_BYTES) for _ in range(NONCE_SIZE))
