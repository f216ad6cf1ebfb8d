"""Verifying a client that logs in: which account it is, and whether it knows the password."""

import asyncio
from dataclasses import dataclass

from proxy.accounts.table import Account, host_names
from proxy.channel import PacketChannel
from proxy.errors import ClientFault, ServerRefused, SessionError
from proxy.session.context import Context
from proxy.wire import constants as c
from proxy.wire.auth import caching_sha2_verify
from proxy.wire.handshake import HandshakeResponse
from proxy.wire.replies import Err
from proxy.wire.secret import secret_of
from proxy.wire.serverlogin import Accept, Credentials, Deny, Send, ServerLogin, Step, Verify
from topology.servers import Observation, Vendor


@dataclass(frozen=True, slots=True)
class Judge:
    """Verifies one client by a dialogue on its channel. `address` is the client's, an IP address."""

    context: Context
    channel: PacketChannel
    address: str

    async def verify(self, login: ServerLogin, response: HandshakeResponse, primary: Observation) -> Accept:
        """What the login has proved. Raises SessionError with what the client is told."""
        account = await self._find(response.user)
        _refuse_unsupported(account)
        # A stranger must not learn from the dialogue which accounts exist.
        credentials = account.credentials() if account else Credentials(default_plugin(primary), b"\0")
        step = await self._dialogue(login, login.judge(response, credentials))
        if isinstance(step, Deny):
            step = await self._dialogue(login, await self._second_look(login, response.user, step))
        if isinstance(step, Verify):
            step = await self._verify_password(response.user, step.password, account)
        if not isinstance(step, Accept):
            raise self._denied(response.user, step)
        if account := self.context.directory.find(response.user, self.address):
            self.context.directory.learn(account, step.secret)
        return step

    async def _dialogue(self, login: ServerLogin, step: Step) -> Step:
        """Exchange packets with the client until a step needs none."""
        while isinstance(step, Send):
            self.channel.send(step.payload)
            step = login.answer(await self.channel.receive())
        return step

    async def _find(self, user: str) -> Account | None:
        account = self.context.directory.find(user, self.address)
        if account is None or not account.supported:
            await self.context.directory.refresh_quietly()
            account = self.context.directory.find(user, self.address)
        return account

    async def _verify_password(self, user: str, password: bytes, account: Account | None) -> Step:
        if account is not None and await asyncio.to_thread(caching_sha2_verify, password, account.stored):
            return Accept(secret_of(password))
        await self.context.directory.refresh_quietly()
        newer = self.context.directory.find(user, self.address)
        changed = newer is not None and (account is None or newer.stored != account.stored)
        if newer is not None and changed and await asyncio.to_thread(caching_sha2_verify, password, newer.stored):
            return Accept(secret_of(password))
        return Deny(used_password=True)

    async def _second_look(self, login: ServerLogin, user: str, denied: Deny) -> Step:
        await self.context.directory.refresh_quietly()
        account = self.context.directory.find(user, self.address)
        _refuse_unsupported(account)
        return login.judge_again(account.credentials()) if account is not None else denied

    def _denied(self, user: str, step: Step) -> ClientFault:
        used = "NO" if isinstance(step, Deny) and not step.used_password else "YES"
        host = host_names(self.address)[0]
        message = f"Access denied for user '{user}'@'{host}' (using password: {used})"
        return ClientFault(Err(c.ER_ACCESS_DENIED, message, "28000"))

    async def refused_by_primary(self, user: str, error: ServerRefused) -> SessionError:
        """What the client is told. MySQL answers for an account that it does not know with a method of its choice."""
        if error.err.errno != c.ER_NOT_SUPPORTED_AUTH_MODE:
            return error
        await self.context.directory.refresh_quietly()
        account = self.context.directory.find(user, self.address)
        if account is not None and not account.supported:
            return error
        return self._denied(user, Deny(used_password=True))


def _refuse_unsupported(account: Account | None) -> None:
    if account is not None and not account.supported:
        message = f"The account uses the authentication method {account.plugin!r}, which the proxy cannot verify"
        raise ClientFault(Err(c.ER_NOT_SUPPORTED_AUTH_MODE, message, "08004"))


def default_plugin(primary: Observation) -> str:
    """The method that a server of the primary's kind begins with."""
    return c.NATIVE_PASSWORD if primary.vendor is Vendor.MARIADB else c.CACHING_SHA2
