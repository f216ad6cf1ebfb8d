"""One KILL and its target, with sessions that are the test."""

from collections.abc import Callable
from typing import cast

import pytest

from proxy.session.shared.kills import Killing, Target
from proxy.sql.kill import Kill
from proxy.wire.replies import Err
from tests.support.machines import Session as Machine
from tests.support.machines import query
from topology.servers import Role, Server

PRIMARY = Server("dbwrite", "a", 1, Role.PRIMARY)
INTERRUPTED, CONNECTION_KILLED, NOT_OWNER = 1317, 1927, 1095


class Session:
    """A session with a thread; it notes what happens to it."""

    user = "app"

    def __init__(self) -> None:
        self.log: list[str] = []

    def thread(self) -> tuple[Server, int] | None:
        return PRIMARY, 9

    def summon(self, done: Callable[[Err | None], None]) -> None:
        raise NotImplementedError

    def condemn(self, *, connection: bool) -> None:
        self.log.append("condemned")

    def pardon(self, *, struck: bool, connection: bool) -> None:
        self.log.append("pardoned")

    def interrupt(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.log.append("closed")


@pytest.mark.parametrize(
    ("connection", "own", "errno", "wanted"),
    [
        (True, False, 0, ["condemned", "closed"]),
        (True, False, NOT_OWNER, ["condemned", "pardoned"]),
        (True, True, 0, ["condemned", "closed"]),
        # Its servers close at once: a read must not run on another one meanwhile.
        (True, True, INTERRUPTED, ["condemned", "closed"]),
        (True, True, CONNECTION_KILLED, ["condemned", "closed"]),
        (True, True, NOT_OWNER, ["condemned"]),
        (False, True, INTERRUPTED, ["condemned", "pardoned"]),
    ],
)
def test_what_becomes_of_the_target(connection: bool, own: bool, errno: int, wanted: list[str]) -> None:
    target = Session()
    killing = Killing(Kill(None, connection, b"KILL"), cast(Target, target), own, "app", 0)
    assert killing.aim(Machine().request(query("KILL CONNECTION_ID()")))
    killing.over(errno)
    assert target.log == wanted
