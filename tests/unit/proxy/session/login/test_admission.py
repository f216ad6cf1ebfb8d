"""Who is let in, who has to leave for others, and which addresses networks cover."""

import asyncio
from dataclasses import dataclass, field
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy.errors import ClientFault
from proxy.session.login.admission import admit, admit_address, admit_client, covered
from proxy.session.shared.alone import Alone
from proxy.session.shared.context import Context
from topology.config import Settings


@dataclass
class Guest:
    """One that is logging in."""

    since: float
    stranger: bool = True
    name: str = "guest"
    cuts: int = 0

    def cut_off(self) -> None:
        self.cuts += 1


@dataclass
class House:
    """A context with so many sessions and these logins."""

    guests: list[Guest] = field(default_factory=list)
    sessions: int = 0
    hurrying: bool = False

    def context(self, **settings: object) -> Context:
        nothing = cast(Any, None)
        context = Context(Settings.model_validate(settings), nothing, nothing, nothing, nothing, nothing)
        context.sessions = {cast(Any, object()) for _ in range(self.sessions)}
        context.logins = {cast(Any, object()): guest for guest in self.guests}
        context.hurrying = self.hurrying
        context.colleagues = Alone(context, nothing)
        return context


def refusal(context: Context, now: float) -> int:
    """The error that the newest login gets, 0 for none."""
    try:
        admit(context, now)
    except ClientFault as error:
        return error.err.errno
    return 0


def test_there_is_room_up_to_the_limit() -> None:
    guests = [Guest(0), Guest(0)]
    assert refusal(House(guests, sessions=3).context(max_connections=5), 0.5) == 0
    assert refusal(House(guests, sessions=4).context(max_connections=5), 0.5) == 1040
    assert not any(guest.cuts for guest in guests)


def test_the_oldest_stranger_leaves_once_it_has_had_its_time() -> None:
    known, first, second, newest = Guest(0, stranger=False), Guest(1), Guest(2), Guest(3)
    context = House([known, first, second, newest]).context(max_connections=3)
    assert refusal(context, 1.9) == 1040
    assert refusal(context, 2.1) == 0
    assert [guest.cuts for guest in (known, first, second, newest)] == [0, 1, 0, 0]


def test_those_who_are_known_stay() -> None:
    guests = [Guest(0, stranger=False), Guest(0, stranger=False), Guest(100)]
    assert refusal(House(guests).context(max_connections=2), 100) == 1040
    assert not any(guest.cuts for guest in guests)


def test_nobody_is_let_in_at_the_end() -> None:
    assert refusal(House(hurrying=True).context(), 0) == 1053


async def count(context: Context, address: str) -> None:
    await admit_address(context, address)


def test_connections_of_one_address_are_counted() -> None:
    context = House().context(max_connections_per_address=2)
    for address in ("10.0.0.1", "10.0.0.1", "10.0.0.2"):
        asyncio.run(count(context, address))
    with pytest.raises(ClientFault, match=r"1040.*10\.0\.0\.1 .max_connections_per_address is 2"):
        asyncio.run(count(context, "10.0.0.1"))
    context.leave_address("10.0.0.1")
    asyncio.run(count(context, "10.0.0.1"))
    for address in ("10.0.0.1", "10.0.0.1", "10.0.0.2"):
        context.leave_address(address)
    assert not context.addresses


def test_without_a_limit_there_is_none() -> None:
    context = House().context()
    for _ in range(10):
        asyncio.run(count(context, "10.0.0.1"))


@pytest.mark.parametrize(
    ("networks", "address", "expected"),
    [
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "11.1.2.3", False),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["10.0.0.0/8", "2001:db8::/32"], "2001:db8::5", True),
        (["::/0"], "10.1.2.3", False),
        (["127.0.0.1/32"], "127.0.0.1", True),
        (["127.0.0.1/32"], "::1", False),
    ],
)
def test_which_addresses_networks_cover(networks: list[str], address: str, expected: bool) -> None:
    assert covered([ip_network(network) for network in networks], address) is expected


def refused(context: Context, address: str, now: float = 0.0) -> int:
    """The error that a client from `address` gets, 0 for none."""
    try:
        admit_client(context, address, now)
    except ClientFault as error:
        return error.err.errno
    return 0


def test_only_allowed_networks_are_let_in() -> None:
    context = House().context(allowed_networks=["10.0.0.0/8", "::1/128"])
    context.monitor = SimpleNamespace(snapshot=SimpleNamespace(primary=SimpleNamespace(observation=None)))
    assert [refused(context, address) for address in ("10.1.2.3", "::1", "11.0.0.1")] == [0, 0, 1130]
    assert context.logins_refused == {"address": 1}


def test_an_address_that_guesses_passwords_is_blocked_for_some_time() -> None:
    context = House().context(failed_logins=1)
    for number in range(12):
        context.failures.failed("10.0.0.1", f"user{number}", 0.0)
    assert refused(context, "10.0.0.1", 19.9) == 1129
    assert refused(context, "10.0.0.2", 19.9) == 0
    assert refused(context, "10.0.0.1", 20.0) == 0
    assert context.logins_refused == {"blocked": 1}
