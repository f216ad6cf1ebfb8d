"""What a session gives to others, with servers that are the test."""

from collections.abc import Callable
from typing import cast

from proxy.backend.connection import BackendConnection, Owner
from proxy.backend.login import Identity
from proxy.routing.told import Told
from proxy.session.core.sentence import Sentence
from proxy.session.running.lending import Lending
from proxy.session.running.servers import Servers
from proxy.session.running.turn import Turn
from proxy.session.shared.context import Context
from proxy.wire.clientlogin import Safety
from proxy.wire.exchange import Exchange
from tests.support.machines import PRIMARY, REPLICA, Session
from topology.servers import Role, Server


class Link(BackendConnection):
    """A connection that only notes what happens to it."""

    def __init__(self, server: Server) -> None:
        super().__init__(server, 7, 0, Safety(private=True), 2, cast(Owner, None))
        self.closed = False

    @property
    def alive(self) -> bool:
        return not self.closed

    def send(self, packet: bytes, exchange: Exchange, sink: object) -> None:
        self._exchange = exchange

    def close(self) -> None:
        self.closed = True


class Pool:
    """Others, who want all connections of a session as soon as it lets go of the first one."""

    def __init__(self) -> None:
        self.released: list[BackendConnection] = []
        self.asked: list[BackendConnection] = []
        self.want: Callable[[], None] = lambda: None

    def release(self, link: BackendConnection, told: Told, *, primary: bool) -> None:
        self.released.append(link)
        self.want()


class Monitor:
    """Knows which server is the primary."""

    def __init__(self, primary: Server) -> None:
        self.snapshot = self.primary = self
        self.server = primary
        self.freshness = None


class Settings:
    """What `Servers` wants to know."""

    consistency = "global"


class Shared:
    """The context of a session in a test."""

    def __init__(self, primary: Server) -> None:
        self.settings, self.monitor, self.pool = Settings(), Monitor(primary), Pool()


def test_an_ending_session_gives_no_connection_away_that_it_is_about_to_leave_behind() -> None:
    primary, replica = Server(PRIMARY, "a", 1, Role.PRIMARY), Server(REPLICA, "b", 1, Role.REPLICA)
    shared, machine = Shared(primary), Session().machine
    servers = Servers(cast(Context, shared), cast(Identity, None), machine.state, machine.last.ran, "test")
    lending = Lending(cast(Owner, None), servers, machine, Sentence(), Turn(), "test", lambda: None, 5.0)
    links = [Link(replica), Link(primary)]
    for link in links:
        servers.links.add(link)

    def want() -> None:
        shared.pool.asked += [link for link in links if lending.may_part(link, None)]

    want()
    assert shared.pool.asked == links
    shared.pool.asked, shared.pool.want = [], want
    lending.end()
    servers.close(lambda link: lending.may_leave_behind(link, None), lambda link: Told())
    assert (shared.pool.released, shared.pool.asked) == (links, [])
    assert not any(link.closed for link in links)
