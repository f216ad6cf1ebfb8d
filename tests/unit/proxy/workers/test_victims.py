"""KILLs that come from other workers, with a session that is the test."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from proxy.session.shared.context import Context
from proxy.wire.replies import Err
from proxy.workers.victims import Victims
from proxy.workers.words import Found, Hit
from topology.servers import Role, Server

PRIMARY = Server("dbwrite", "a", 1, Role.PRIMARY)
NO_THREAD = Err(1040, "no connection", "08004")
SLOT, NUMBER = 1, 7


class Session:
    """A session that gets its thread when it is summoned; it notes what happens to it."""

    number, user = NUMBER, "app"

    def __init__(self, *, at_work: bool = True, refusal: Err | None = None) -> None:
        self.log: list[str] = []
        self._at_work, self._refusal = at_work, refusal

    def thread(self) -> tuple[Server, int] | None:
        return (PRIMARY, 9) if self._at_work else None

    def summon(self, done: Callable[[Err | None], None]) -> None:
        self._at_work = self._refusal is None
        done(self._refusal)
        done(None)

    def condemn(self, *, connection: bool) -> None:
        self.log.append(f"condemned {connection}")

    def pardon(self, *, struck: bool, connection: bool) -> None:
        self.log.append(f"pardoned {connection}{' struck' if struck else ''}")

    def interrupt(self) -> None:
        self.log.append("interrupted")

    def close(self) -> None:
        self.log.append("closed")


class Scene:
    """One session of the worker in slot 1, or none."""

    def __init__(self, session: Session | None = None) -> None:
        self.existing = session
        self.victims = Victims(cast(Context, self), SLOT)

    def session(self, number: int) -> Session | None:
        return self.existing if number == NUMBER else None

    def hit(self, verb: str, killer: int = 0, *, connection: bool = False, struck: bool = False) -> Found | Err | None:
        return asyncio.run(self.victims.hit(Hit(SLOT, killer, NUMBER, verb, connection, struck)))


FOUND = Found(SLOT, NUMBER, "app", ("dbwrite", 9))


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def scene(session: Session) -> Scene:
    return Scene(session)


def test_who_is_found_is_condemned_until_the_kill_is_over(scene: Scene, session: Session) -> None:
    assert scene.victims.find(0, NUMBER, True) == FOUND
    scene.hit("pardon", connection=True, struck=True)
    assert session.log == ["condemned True", "pardoned True struck"]


def test_only_what_was_condemned_is_pardoned(scene: Scene, session: Session) -> None:
    scene.victims.find(0, NUMBER, True)
    scene.hit("pardon", killer=2, connection=True)
    scene.hit("pardon", connection=False)
    scene.hit("pardon", connection=True)
    scene.hit("pardon", connection=True)
    assert session.log == ["condemned True", "pardoned True"]


def test_a_worker_that_ends_pardons_for_its_own_part(scene: Scene, session: Session) -> None:
    scene.victims.find(0, NUMBER, True)
    scene.victims.find(0, NUMBER, False)
    scene.victims.find(2, NUMBER, True)
    scene.victims.forsaken(0)
    scene.victims.forsaken(0)
    assert session.log[3:] == ["pardoned True", "pardoned False"]
    scene.victims.forsaken(2)
    assert session.log[5:] == ["pardoned True"]


def test_a_session_that_has_ended_is_forgotten(scene: Scene, session: Session) -> None:
    scene.victims.find(0, NUMBER, True)
    scene.existing = None
    assert scene.hit("close") is None
    scene.existing = session
    scene.victims.forsaken(0)
    scene.victims.find(0, NUMBER, True)
    scene.existing = None
    scene.victims.forsaken(0)
    assert session.log == ["condemned True", "condemned True"]
    assert scene.victims.find(0, NUMBER, True) is None


def test_the_session_is_closed_or_interrupted(scene: Scene, session: Session) -> None:
    scene.hit("interrupt")
    scene.hit("close")
    assert session.log == ["interrupted", "closed"]


def test_one_without_a_thread_gets_one() -> None:
    session = Session(at_work=False)
    scene = Scene(session)
    assert scene.victims.find(0, NUMBER, True) == Found(SLOT, NUMBER, "app", None)
    assert scene.hit("summon", connection=True) == FOUND
    assert session.log == ["condemned True"]


def test_or_the_reason_why_not() -> None:
    scene = Scene(Session(at_work=False, refusal=NO_THREAD))
    assert scene.hit("summon", connection=True) is NO_THREAD
