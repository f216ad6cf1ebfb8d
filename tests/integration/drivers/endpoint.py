"""Where a driver connects to and as whom, and how what it sees there and through the proxy is compared."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

SCHEMA: Final = "drivers_test"
MEBIBYTE: Final = 1024 * 1024
UNICODE: Final = "Grüße, 世界, 🎉 'quoted' \"twice\" \\ %"
TABLE: Final = """CREATE TABLE item (
    id INT PRIMARY KEY AUTO_INCREMENT, amount DECIMAL(10, 2), ratio DOUBLE, big BIGINT UNSIGNED, moment DATETIME(6),
    day DATE, text VARCHAR(200), content LONGBLOB, nothing INT
) CHARACTER SET utf8mb4"""

Found = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """A user of the servers, and of the proxy."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Endpoint:
    """A server, or the proxy in front of it. `other` is a second account, for those who change the user."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    other: Account

    @property
    def login(self) -> dict[str, Any]:
        """The keyword arguments that all Python drivers take."""
        return {"host": self.host, "port": self.port, "user": self.user, "password": self.password}


Endpoints = tuple[Endpoint, Endpoint]


def compared(
    endpoints: Endpoints,
    scenario: Callable[[Endpoint], Found],
    through_proxy: Callable[[Endpoint], Found] | None = None,
) -> Found:
    """What `scenario` finds at the server, by the name of the step. Fails with the steps where the proxy differs.

    `through_proxy` is the scenario to be run there, if it is another one: with TLS, which not all servers have.
    """
    server, proxy = endpoints
    without, through = scenario(server), (through_proxy or scenario)(proxy)
    assert list(through) == list(without)
    differences = [
        f"{step}: {seen!r}\nthrough the proxy: {through[step]!r}"
        for step, seen in without.items()
        if through[step] != seen
    ]
    assert not differences, "\n".join(differences)
    return without
