"""Gives a session's connections to others: which they may have, and what the session keeps of them."""

import functools
import logging
from collections.abc import Callable

from proxy.backend.connection import BackendConnection, Owner
from proxy.routing.told import Told
from proxy.session.core.machine import Machine
from proxy.session.core.sentence import Sentence
from proxy.session.running.handover import Handover
from proxy.session.running.servers import Servers
from proxy.session.running.turn import Turn
from proxy.wire.errors import MalformedPacket

log = logging.getLogger(__name__)

Parted = Callable[[Told | None], None]


class Lending:
    """What one session lends. `under_way` is the connection that is asked for what only it knows, before it goes.

    `sentence` tells of KILLs under way, `turn` of a statement, `done` is called after each connection that was asked
    for, and `name` is the client's, for the log. A connection has `within` seconds for its answers.
    """

    def __init__(
        self,
        owner: Owner,
        servers: Servers,
        machine: Machine,
        sentence: Sentence,
        turn: Turn,
        name: str,
        done: Callable[[], None],
        within: float,
    ) -> None:
        self._sentence = sentence
        self._owner = owner
        self._servers = servers
        self._machine = machine
        self._ran = machine.last.ran
        self._turn = turn
        self._name = name
        self._done = done
        self._within = within
        self._handover: Handover | None = None
        self.under_way: BackendConnection | None = None
        self._kept_back: BackendConnection | None = None
        self._over = False

    def may_part(self, link: BackendConnection, at_work: BackendConnection | None) -> bool:
        """Whether another session can have `link`; `at_work` is what runs the session's statement.

        None of a session that is ending: it is just leaving them behind, one after the other.
        """
        if self._over or self._handover is not None or link is self._kept_back:
            return False
        if self.owes(link) and self._ran.server != link.server.name:
            # MariaDB tells of its warnings behind a SELECT without a table, too, and that ran elsewhere.
            return False
        return self.may_leave_behind(link, at_work)

    def may_leave_behind(self, link: BackendConnection, at_work: BackendConnection | None) -> bool:
        """Whether another session can have `link` when this one has ended."""
        # While a KILL is under way, whoever had it next would be killed.
        if self._sentence.any or link is at_work or not link.at_rest or not link.alive:
            return False
        if self._servers.links.get(link.server.name) is not link:
            return False
        return self._machine.may_part(link.seen, self._servers.is_primary(link.server))

    def owes(self, link: BackendConnection) -> bool:
        """Whether the client may ask for the warnings of a statement that ran on `link`."""
        return self._ran.warned and self._ran.warnings == link.server.name

    def _is_last(self, link: BackendConnection) -> bool:
        return self._ran.server == link.server.name and self._machine.last.kept is None

    def part(self, link: BackendConnection, done: Parted) -> None:
        """Give `link` up, and call `done` with what it has, or with None if it has to stay."""
        last, on_primary = self._is_last(link), self._servers.is_primary(link.server)
        parted = functools.partial(self._parted, link, done, last, on_primary)
        under_way = self._turn.request is not None
        if self._machine.last.asks(link.server.name, on_primary, last=last, under_way=under_way):
            link.resume_reading()
            ask = functools.partial(self._machine.last.next_question, warned=last and self._ran.warned)
            self._handover = Handover(self._owner, link, ask, parted, self._within)
            self.under_way = link
            self._handover.start()
        else:
            parted([])

    def _parted(
        self, link: BackendConnection, done: Parted, last: bool, on_primary: bool, replies: list[bytes] | None
    ) -> None:
        self._handover = self.under_way = None
        try:
            if replies:
                self._machine.last.keep(replies, link.seen, link.server.name, on_primary, last=last)
        except MalformedPacket as error:
            log.info("%s: %s keeps its connection: %s", self._name, link.server, error)
            replies = None
        if replies is None:
            self._kept_back = link
            done(None)
        else:
            self._servers.links.remove(link)
            done(self._machine.left(link.seen, warned=False))
        self._done()

    def give_up(self) -> None:
        """What is just being asked stays unanswered, and its connection where it is."""
        if self._handover is not None:
            self._handover.give_up()

    def end(self) -> None:
        """The session has ended."""
        self._over = True
        self.give_up()
