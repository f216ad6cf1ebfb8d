"""A session that is killed: what KILLs of others, and its own, do to what it has at work."""

from collections.abc import Callable
from typing import Protocol

from proxy.session.core.request import Request
from proxy.session.core.wording import interrupted
from proxy.session.running.common import Common
from proxy.session.running.summons import Summons
from proxy.wire.replies import Err
from topology.servers import Server


class Refusing(Protocol):
    """Who answers the request at work."""

    def refuse(self, request: Request, err: Err) -> None:
        """Answer it with an error of ours."""


class Victim:
    """One session's."""

    def __init__(self, common: Common, summons: Summons, attempts: Refusing) -> None:
        self._servers = common.servers
        self._turn = common.turn
        self._sentence = common.sentence
        self._waiting = common.waiting
        self._summons = summons
        self._attempts = attempts

    def summon(self, done: Callable[[Err | None], None]) -> None:
        """Get a connection to the primary, or wait for the one that is just being got, and call `done`."""
        self._summons.add(done)

    def condemn(self, *, connection: bool) -> None:
        """A KILL is under way to the thread of one of the connections."""
        self._sentence.passed(self._waiting.for_a_replica, connection=connection)

    def pardon(self, *, struck: bool, connection: bool) -> None:
        """It is over; `struck` says that the server did as it was asked."""
        if self._sentence.lifted(self._waiting.for_a_replica, struck=struck, connection=connection):
            self.interrupt()

    def interrupt(self) -> None:
        """End the request that waits for a connection, a replica or the primary, if one does."""
        waits = self._servers.awaited or self._waiting.under_way
        request = self._turn.request
        if request is not None and waits:
            self._servers.give_up()
            self._waiting.end()
            self._attempts.refuse(request, interrupted())
            self._summons.renew()

    def thread(self) -> tuple[Server, int] | None:
        """The server where a statement runs, the primary if none does, and the id of the thread there."""
        link = self._turn.link
        if link is None or link.at_rest:
            link = self._servers.primary_link
        return (link.server, link.thread) if link is not None else None
