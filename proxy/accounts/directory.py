"""Keeps the account table in memory: reads it from the primary, and again when a login fails."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from proxy.accounts.table import (
    MARIADB_ACCOUNTS,
    MYSQL_ACCOUNTS,
    Account,
    configured_account,
    decoy,
    find_account,
    host_fits,
    mariadb_accounts,
    mysql_accounts,
)
from proxy.wire.constants import CACHING_SHA2, NATIVE_PASSWORD
from proxy.wire.methods import Method, Stored
from proxy.wire.secret import Secret
from topology.config import ConfiguredAccount
from topology.errors import ServerError
from topology.probe import vendor_of
from topology.servers import Server, Vendor
from topology.sqlclient import connected

log = logging.getLogger(__name__)

# A stranger with wrong passwords must not make the primary's account table be read all the time. He waits so long, and
# so does who comes with a new password meanwhile.
_REFRESH_PAUSE = 0.2
# What an account demands of the connection can be added without any login failing, so a login does not go by accounts
# that were read longer ago. It costs one query of the primary for all logins of this time.
_OLD = 5.0

# Whose secret it is: user, host, stored string.
SecretKey: TypeAlias = tuple[str, str, bytes]


class Directory:
    """The accounts, and the secrets of those that have logged in. Those that are `configured` count from a refresh on.

    A secret learnt in a full login is kept for its account until the account's stored string changes: it spares the
    client the next full login, and it is what the proxy logs itself in with. `learnt` is called with each.
    """

    def __init__(self, primary: Server, configured: Sequence[ConfiguredAccount], within: float) -> None:
        self._primary = primary
        self.configured = configured
        self._within = within
        self._accounts: list[Account] = []
        self._secrets: dict[SecretKey, Secret] = {}
        self.learnt: Callable[[SecretKey, Secret], None] = lambda *_: None
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")

    @property
    def loaded(self) -> bool:
        """Whether the accounts are known."""
        return bool(self._accounts)

    def find(self, user: str, address: str) -> Account | None:
        """The account of a client, with its secrets as far as they were learnt."""
        account = find_account(self._accounts, user, address)
        return None if account is None else self._with_secrets(account)

    async def covers(self, address: str) -> bool:
        """Whether some account is for clients from `address`, going by the newest accounts before it says no.

        It says yes where the accounts are not known.
        """
        if not self._covers(address):
            await self.refresh_quietly()
        return self._covers(address)

    def _covers(self, address: str) -> bool:
        return not self._accounts or any(host_fits(account.host, address) for account in self._accounts)

    def decoy(self, plugin: str) -> Method:
        """What a client without an account is judged by."""
        return decoy(self._accounts, plugin)

    def learn(self, account: Account, stored: Stored, secret: Secret) -> None:
        """Keep the secret that a login has proved for one of the account's stored strings."""
        key = account.user, account.host, stored.text
        if key not in self._secrets:
            self._secrets[key] = secret
            self.learnt(key, secret)

    def adopt(self, key: SecretKey, secret: Secret) -> None:
        """Keep the secret that a login elsewhere has proved."""
        self._secrets[key] = secret

    def _with_secrets(self, account: Account) -> Account:
        def known(stored: Stored) -> Stored:
            secret = self._secrets.get((account.user, account.host, stored.text))
            return stored if stored.secret or secret is None else replace(stored, secret=secret)

        return replace(
            account,
            methods=tuple(Method(method.plugin, tuple(map(known, method.stored))) for method in account.methods),
        )

    def follow(self, primary: Server) -> None:
        """From now on the accounts of `primary` count."""
        self._primary = primary

    async def refresh(self) -> None:
        """Read the accounts: afterwards everything is known that the primary knew at the time of the call.

        Raises ServerError when the primary cannot be asked.
        """
        asked_at = time.monotonic()
        async with self._lock:
            if self._read_at > asked_at:
                return
            await asyncio.sleep(self._read_at + _REFRESH_PAUSE - asked_at)
            self._read_at = time.monotonic()
            await self._read()

    async def refresh_quietly(self) -> None:
        """As `refresh`, but a failure is logged: what is known stays in use."""
        try:
            await self.refresh()
        except ServerError as error:
            log.warning("cannot read the accounts: %s", error)

    async def refresh_if_old(self) -> None:
        """As `refresh_quietly`, if the accounts were read long ago; those of the configuration do not change."""
        if not self.configured and time.monotonic() - self._read_at > _OLD:
            await self.refresh_quietly()

    async def _read(self) -> None:
        async with connected(self._primary, within=self._within) as client:
            vendor = vendor_of(client.greeted_version)
            if self.configured:
                self._accounts = [_configured(account, vendor) for account in self.configured]
            elif vendor is Vendor.MARIADB:
                self._accounts = mariadb_accounts(await client.query(MARIADB_ACCOUNTS))
            else:
                self._accounts = mysql_accounts(await client.query(MYSQL_ACCOUNTS))
        known = {
            (account.user, account.host, stored.text)
            for account in self._accounts
            for method in account.methods
            for stored in method.stored
        }
        self._secrets = {key: secret for key, secret in self._secrets.items() if key in known}


def _configured(account: ConfiguredAccount, vendor: Vendor) -> Account:
    plugin = NATIVE_PASSWORD if vendor is Vendor.MARIADB else CACHING_SHA2
    return configured_account(account.user, account.password.get_secret_value(), plugin)
