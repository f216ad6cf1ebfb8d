"""Verifying a client that logs in: which account it is, and whether it knows the password."""

import asyncio
import logging
import secrets
from dataclasses import dataclass, replace
from typing import Final

from proxy.accounts.refusals import refusal
from proxy.accounts.requirements import Shown, is_met
from proxy.accounts.table import Account, host_names
from proxy.backend.login import Identity, identity_of, refusal_by
from proxy.backend.origin import Origin
from proxy.channel import PacketChannel
from proxy.errors import ClientFault, ServerRefused, SessionError
from proxy.session.core.wording import product_name, user_is_blocked
from proxy.session.login.refused import BLOCKED, BY_PASSWORD, BY_USER
from proxy.session.shared.context import Context
from proxy.wire import constants as c
from proxy.wire.dialogues import Accept, Deny, Send, Step, Surroundings, Verify
from proxy.wire.handshake import HandshakeResponse
from proxy.wire.methods import Method, fitting
from proxy.wire.replies import Err
from proxy.wire.secret import Secret, secret_of
from proxy.wire.serverlogin import ServerLogin
from proxy.wire.signatures import CHALLENGE_SIZE
from topology.servers import Observation, Vendor

log = logging.getLogger(__name__)

_NAMING_THE_HOST: Final = frozenset({c.ER_ACCESS_DENIED, c.ER_ACCESS_DENIED_NO_PASSWORD})
_OTHER_KEY: Final = (
    "client %s: its password is encrypted with another RSA key than the proxy's; remedy: have it ask for the key, or "
    "give it public_key.pem of state_directory"
)
_ACCOUNT_CHANGED: Final = (c.ER_ACCESS_DENIED, c.ER_NOT_SUPPORTED_AUTH_MODE, c.ER_ACCESS_DENIED_NO_PASSWORD)


@dataclass(frozen=True, slots=True)
class Judge:
    """Verifies one client by a dialogue on its channel. `shown` is what its connection has beside the password."""

    context: Context
    channel: PacketChannel
    origin: Origin
    shown: Shown

    @property
    def address(self) -> str:
        """The client's IP address."""
        return self.origin.address

    def around(self, nonce: bytes, private: bool, primary: Observation) -> Surroundings:
        """What the client is verified with beside its account."""
        return Surroundings(
            nonce, secrets.token_bytes(CHALLENGE_SIZE), self.context.key, private, product_name(primary.vendor)
        )

    async def verify(self, login: ServerLogin, response: HandshakeResponse, primary: Observation) -> Accept:
        """What a new client has proved. Raises SessionError with what the client is told."""
        account = await self._find(response.user)
        methods = self._methods(account, primary)
        outcome = await self._outcome(login, login.judge(response, methods), response.user, methods)
        if isinstance(outcome, Deny):
            raise await self.denied(identity_of(response, secret_of(b""), self.origin), outcome)
        if not await self._meets(response.user):
            raise self._insufficient(response.user, outcome)
        return outcome

    async def verify_change(self, login: ServerLogin, user: str, flags: int, primary: Observation) -> Accept | Deny:
        """The same for the user of a COM_CHANGE_USER. Raises SessionError when it cannot be verified at all."""
        methods = self._methods(await self._find(user), primary)
        outcome = await self._outcome(login, login.judge_change(flags, methods), user, methods)
        if isinstance(outcome, Deny) or await self._meets(user):
            return outcome
        error = self._insufficient(user, outcome)
        if primary.vendor is not Vendor.MARIADB:
            raise error
        # The old user goes on, with what a refusal by the primary leaves of the session.
        return Deny(_has_password(outcome))

    async def _outcome(self, login: ServerLogin, step: Step, user: str, methods: tuple[Method, ...]) -> Accept | Deny:
        self._check_blocked(user)
        step = await self._dialogue(login, step)
        if isinstance(step, Deny):
            step = await self._second_look(login, user, methods, step)
        if isinstance(step, Err):
            raise ClientFault(step)
        assert isinstance(step, Accept | Deny)
        # Who tries many at the same time learns nothing from those that end after the first few.
        self._check_blocked(user)
        self._note(user, step)
        if isinstance(step, Accept) and (account := self._known(user)):
            self.context.directory.learn(account, step.stored, step.secret)
        return step

    def _check_blocked(self, user: str) -> None:
        if rest := self.context.failures.rest(self.address, user, asyncio.get_running_loop().time()):
            self.context.logins_refused[BLOCKED] += 1
            raise ClientFault(user_is_blocked(user, host_names(self.address)[0], rest))

    def _note(self, user: str, outcome: Accept | Deny) -> None:
        """Count how a login has gone. Raises ClientFault for who was judged without having a chance."""
        context = self.context
        if isinstance(outcome, Accept):
            context.failures.succeeded(self.address, user)
            return
        if outcome.other_key:
            log.warning(_OTHER_KEY, self.address)
        context.failures.failed(self.address, user, asyncio.get_running_loop().time())
        if self._allowed(user):
            context.logins_refused[BY_PASSWORD] += 1
            return
        context.logins_refused[BY_USER] += 1
        log.info("%s: '%s' is not among allowed_users", self.address, user)
        # The primary is not asked to refuse it: it would count a wrong password.
        raise access_denied(user, host_names(self.address)[0], outcome.used_password)

    def _allowed(self, user: str) -> bool:
        allowed = self.context.settings.allowed_users
        return not allowed or user in allowed

    def _known(self, user: str) -> Account | None:
        """The account of a client; none of who is not allowed to have one here."""
        return self.context.directory.find(user, self.address) if self._allowed(user) else None

    async def _meets(self, user: str) -> bool:
        """Whether the connection is what the account demands; a demand that it fails is looked up once more."""
        if self._fits(user):
            return True
        await self.context.directory.refresh_quietly()
        return self._fits(user)

    def _fits(self, user: str) -> bool:
        account = self._known(user)
        return account is not None and is_met(account.requirement, self.shown)

    def _insufficient(self, user: str, outcome: Accept) -> SessionError:
        """What the client is told whose password was right and whose connection is not what the account demands.

        The primary is not asked to refuse it: it would count a wrong password.
        """
        log.info("%s: the account of '%s' demands another connection (REQUIRE)", self.address, user)
        if outcome.last:
            self.channel.send(outcome.last)
        return access_denied(user, host_names(self.address)[0], _has_password(outcome))

    async def _find(self, user: str) -> Account | None:
        await self.context.directory.refresh_if_old()
        account = self._known(user)
        if account is None or not account.supported:
            await self.context.directory.refresh_quietly()
            account = self._known(user)
        if account is not None and (error := self._refusal(account, user)) is not None:
            raise ClientFault(error)
        return account

    def _refusal(self, account: Account, user: str) -> Err | None:
        return refusal(account, user, host_names(self.address)[0])

    def _methods(self, account: Account | None, primary: Observation) -> tuple[Method, ...]:
        if account is not None:
            return account.methods
        # A stranger must not learn from the dialogue which accounts exist.
        return (self.context.directory.decoy(default_plugin(primary)),)

    async def _dialogue(self, login: ServerLogin, step: Step) -> Step:
        """Exchange packets with the client until a step needs none."""
        while True:
            if isinstance(step, Send):
                self.channel.send(step.payload)
                step = login.answer(await self.channel.receive())
            elif isinstance(step, Verify):
                # One at a time: strangers can cause this, and it must leave room for everything else.
                async with self.context.verifying:
                    found = await asyncio.to_thread(fitting, step.password, step.methods)
                step = login.verified(found)
            else:
                return step

    async def _second_look(self, login: ServerLogin, user: str, methods: tuple[Method, ...], denied: Deny) -> Step:
        """Judge again if the account has changed meanwhile."""
        await self.context.directory.refresh_quietly()
        account = self._known(user)
        if account is None or account.methods == methods:
            return denied
        if (error := self._refusal(account, user)) is not None:
            return error
        return await self._dialogue(login, login.judge_again(account.methods))

    async def denied(self, identity: Identity, denied: Deny) -> SessionError:
        """What the client is told: the primary refuses the login itself, so that it counts, logs and words it."""
        context, host = self.context, host_names(self.address)[0]
        async with context.refusing:
            error = await refusal_by(
                context.monitor.snapshot.primary.server,
                replace(identity, secret=wrong_secret(denied)),
                context.settings.connect_timeout,
                context.greetings,
            )
        if error is None:
            return access_denied(identity.user, host, denied.used_password)
        return ServerRefused(seen_from(error, identity.user, host))

    async def refused_by_primary(self, user: str, error: ServerRefused) -> SessionError:
        """What the client is told when the primary does not accept what was accepted here."""
        if error.err.errno not in _ACCOUNT_CHANGED:
            return error
        # The account has changed, or is gone, for which MySQL begins a dialogue with a method of its choice.
        before = self.context.directory.find(user, self.address)
        await self.context.directory.refresh_quietly()
        now = self.context.directory.find(user, self.address)
        if now is not None and (reason := self._refusal(now, user)) is not None:
            return ClientFault(reason)
        if now != before:
            return access_denied(user, host_names(self.address)[0], True)
        return error


def wrong_secret(denied: Deny) -> Secret:
    """What the primary is given in the place of a password that was wrong here."""
    return secret_of(secrets.token_hex().encode() if denied.used_password else b"")


def _has_password(outcome: Accept) -> bool:
    # The string that is stored for an empty password is empty.
    return bool(outcome.stored.text)


def access_denied(user: str, host: str, used_password: bool) -> ClientFault:
    """The servers' words for a wrong password, or a user that does not exist."""
    used = "YES" if used_password else "NO"
    message = f"Access denied for user '{user}'@'{host}' (using password: {used})"
    return ClientFault(Err(c.ER_ACCESS_DENIED, message, "28000"))


def seen_from(error: Err, user: str, host: str) -> Err:
    """A denial by the primary, which knows the proxy's address only, with the client's."""
    before, _, rest = error.message.partition(f"'{user}'@'")
    if error.errno not in _NAMING_THE_HOST or not rest:
        return error
    _, _, after = rest.partition("'")
    return replace(error, message=f"{before}'{user}'@'{host}'{after}")


def default_plugin(primary: Observation) -> str:
    """The method that a server of the primary's kind begins with."""
    return c.NATIVE_PASSWORD if primary.vendor is Vendor.MARIADB else c.CACHING_SHA2
