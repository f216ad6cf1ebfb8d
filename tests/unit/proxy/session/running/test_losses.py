"""What becomes of a request when its connection is lost, with a session that is the test."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy.routing.policy import Target, route_to
from proxy.session.core.remedies import MOST_REPEATS
from proxy.session.core.request import Request
from proxy.session.running.losses import Losses
from proxy.sql.statement import Kind, Statement
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from topology.servers import Role, Server

PRIMARY = Server("dbwrite", "10.0.0.1", 3306, Role.PRIMARY)
FAREWELL = frame(b"\xff\x1d\4#08S01gone", 0)


def nothing(*_: object, **__: object) -> None:
    pass


class Session:
    """Has a read on a connection to the primary, one after the other; notes what happens to it."""

    def __init__(self, *, movable: bool = True, replay: object = None) -> None:
        self.request = Request(
            frame(b"\x03SELECT 1", 0), Statement(Kind.READ, "read"), route_to(Target.REPLICA, "read"), Reply.RESULT
        )
        self.closed = False
        self.happened: list[str] = []
        links = SimpleNamespace(remove=lambda link: True)
        servers = SimpleNamespace(links=links, is_primary=lambda server: True, remove=nothing)
        self.turn: Any = SimpleNamespace(
            request=self.request, forwarded=False, exchange=None, link=None, unsent=nothing
        )
        machine: Any = SimpleNamespace(
            movable=movable,
            state=SimpleNamespace(lose_connection=nothing),
            outcomes=SimpleNamespace(wrote=lambda request: False),
        )
        client = SimpleNamespace(
            resume_client=nothing,
            lose=lambda err, sequence: self.happened.append("lost"),
            state_lost=lambda farewell: self.happened.append("state lost"),
        )
        twin = SimpleNamespace(holds=lambda link: False, lost=nothing)
        common: Any = SimpleNamespace(
            context=SimpleNamespace(monitor=SimpleNamespace(report_failure=nothing)),
            name="client",
            turn=self.turn,
            machine=machine,
            servers=servers,
            client=client,
            killer=SimpleNamespace(over=nothing),
            twin=twin,
            visibility=SimpleNamespace(),
            sentence=SimpleNamespace(condemned=False),
        )
        self.losses = Losses(common, cast(Any, SimpleNamespace()), cast(Any, replay), cast(Any, self))

    def dispatch(self, request: Request) -> None:
        self.happened.append("at once")

    def dispatch_later(self, request: Request, delay: float) -> None:
        self.happened.append("later")

    def give_up(self) -> None:
        pass

    def lose(self, *, sent: bool) -> str:
        """The connection is lost; returns what happened."""
        link: Any = SimpleNamespace(server=PRIMARY, farewell=b"", close=nothing)
        self.turn.link, self.turn.exchange = link, object() if sent else None
        self.losses.connection_broken(link, "gone")
        return self.happened[-1]

    def not_taken(self) -> str:
        """The server had closed it before."""
        link: Any = SimpleNamespace(server=PRIMARY, close=nothing)
        self.losses.not_taken(self.request, link, FAREWELL)
        return self.happened[-1]


@pytest.fixture
def session() -> Session:
    return Session()


def test_a_read_that_met_connections_that_were_closed_before_still_runs_again(session: Session) -> None:
    assert session.not_taken() == "at once"
    assert [session.lose(sent=False) for _ in range(MOST_REPEATS - 1)] == ["later"] * (MOST_REPEATS - 1)
    assert session.lose(sent=True) == "later"


def test_a_read_at_work_runs_again_once(session: Session) -> None:
    assert session.lose(sent=True) == "later"
    assert session.lose(sent=True) == "lost"


def test_what_was_not_taken_is_given_up_in_the_end(session: Session) -> None:
    assert [session.not_taken() for _ in range(MOST_REPEATS + 1)] == [
        "at once",
        *["later"] * (MOST_REPEATS - 1),
        "state lost",
    ]


@pytest.mark.parametrize("saved", [True, False])
def test_a_transaction_that_can_be_run_again_is_not_lost(saved: bool) -> None:
    replay = SimpleNamespace(saves=lambda link, reason, request: saved and request is not None)
    assert Session(movable=False, replay=replay).lose(sent=True) == ("later" if saved else "lost")
