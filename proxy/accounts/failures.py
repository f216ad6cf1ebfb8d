"""Failed logins: who guesses passwords has to wait, longer each time. Pure: times in seconds of one clock come in.

What is counted is what a client says, not what accounts there are, so that nothing can be learnt from it about them.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

# One address may fail so many times as often as one of its users: several applications can be behind it.
_USERS_OF_ADDRESS: Final = 10
# The first pause in seconds, doubled with each failure, and the longest.
_FIRST: Final = 5.0
_LONGEST: Final = 300.0
# After so long a time without another failure nothing is held against anybody.
_FORGOTTEN: Final = 900.0
# Of each kind are remembered: some 2 MiB.
_MOST: Final = 10_000
# One client has as many addresses of IPv6 as it likes: all of such a network.
_OWN_NETWORK: Final = 64


@dataclass(slots=True)
class _Record:
    failures: int
    last: float
    until: float


class _Ledger:
    """Failures by key, those of the longest ago forgotten first."""

    def __init__(self) -> None:
        self._records: OrderedDict[tuple[str, ...], _Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def rest(self, key: tuple[str, ...], now: float) -> float:
        record = self._records.get(key)
        return 0.0 if record is None else max(0.0, record.until - now)

    def failed(self, key: tuple[str, ...], limit: int, now: float) -> None:
        record = self._records.pop(key, None)
        before = 0 if record is None or now - record.last > _FORGOTTEN else record.failures
        pause = min(_LONGEST, _FIRST * 2.0 ** min(before + 1 - limit, 10)) if before + 1 >= limit else 0.0
        self._records[key] = _Record(before + 1, now, now + pause)
        if len(self._records) > _MOST:
            self._records.popitem(last=False)

    def knows(self, key: tuple[str, ...]) -> bool:
        return key in self._records

    def forgive(self, key: tuple[str, ...]) -> None:
        self._records.pop(key, None)


class Failures:
    """Those of one proxy. `limit` failures of one user from one address are free; 0 for all.

    `told` is called with address, user and whether the login was right, so that other processes can note it, too.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.told: Callable[[str, str, bool], None] = lambda *_: None
        self._addresses = _Ledger()
        self._users = _Ledger()

    def rest_of_address(self, address: str, now: float) -> float:
        """For how many more seconds nobody is let in from `address`."""
        return self._addresses.rest((_origin(address),), now) if self.limit else 0.0

    def rest(self, address: str, user: str, now: float) -> float:
        """For how many more seconds `user` is not let in from `address`."""
        if not self.limit:
            return 0.0
        return max(self.rest_of_address(address, now), self._users.rest((_origin(address), user), now))

    def failed(self, address: str, user: str, now: float) -> None:
        """A login was refused for its password."""
        self.note(address, user, False, now)
        self.told(address, user, False)

    def note(self, address: str, user: str, right: bool, now: float) -> None:
        """How a login has gone, here or elsewhere."""
        if right:
            self._users.forgive((_origin(address), user))
        elif self.limit:
            self._users.failed((_origin(address), user), self.limit, now)
            self._addresses.failed((_origin(address),), self.limit * _USERS_OF_ADDRESS, now)

    def succeeded(self, address: str, user: str) -> None:
        """A login was right. That says nothing of the other users that this address has tried."""
        if self._users.knows((_origin(address), user)):
            self.note(address, user, True, 0.0)
            self.told(address, user, True)

    @property
    def remembered(self) -> int:
        """Of how many addresses and users failures are remembered."""
        return len(self._addresses) + len(self._users)


def _origin(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        # Of a client that was gone before it was accepted.
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), _OWN_NETWORK), strict=False))
