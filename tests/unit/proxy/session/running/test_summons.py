"""Waiting for a session's thread, of a session whose servers are the test."""

from typing import cast

from proxy.backend.places import Holder
from proxy.errors import ServerRefused
from proxy.session.running.servers import Opened, Servers
from proxy.session.running.summons import Summons
from proxy.wire.replies import Err
from topology.monitor import Monitor
from topology.servers import Role, Server

PRIMARY = Server("dbwrite", "a", 1, Role.PRIMARY)
NO_SUCH_THREAD = 1094


class Opening:
    """Servers that open a connection when the test says so."""

    def __init__(self) -> None:
        self.awaited: Server | None = None
        self.opened: list[Opened] = []

    def open(self, server: Server, holder: Holder, opened: Opened) -> None:
        self.awaited = server
        self.opened.append(opened)


class Watching:
    """A monitor that knows the primary."""

    def __init__(self) -> None:
        self.snapshot = self.primary = self
        self.server = PRIMARY


def summons(servers: Opening, over: list[str]) -> Summons:
    monitor = cast(Monitor, Watching())
    return Summons(monitor, cast(Servers, servers), cast(Holder, None), lambda: over.append("over"))


def test_all_who_wait_are_answered_by_one_connection() -> None:
    servers, over, told = Opening(), list[str](), list[Err | None]()
    waiting = summons(servers, over)
    waiting.add(told.append)
    waiting.add(told.append)
    assert (len(servers.opened), waiting.pending) == (1, True)
    servers.opened[0](ServerRefused(Err(1040, "none")))
    assert ([err.errno for err in told if err], waiting.pending, over) == ([1040, 1040], False, ["over"])


def test_a_connection_that_was_given_up_is_asked_for_again() -> None:
    servers, told = Opening(), list[Err | None]()
    waiting = summons(servers, [])
    waiting.renew()
    assert not servers.opened
    waiting.add(told.append)
    waiting.renew()
    assert len(servers.opened) == 1
    servers.awaited = None
    waiting.renew()
    assert (len(servers.opened), told) == (2, [])


def test_who_waits_for_a_session_that_ends_is_told_so() -> None:
    servers, over, told = Opening(), list[str](), list[Err | None]()
    waiting = summons(servers, over)
    waiting.add(told.append)
    waiting.end()
    waiting.add(told.append)
    waiting.end()
    assert ([err.errno for err in told if err], over, len(servers.opened)) == ([NO_SUCH_THREAD] * 2, [], 1)
