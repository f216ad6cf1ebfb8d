"""Which statements are traced, and what their spans say: nothing of literals, as error messages can have some, too."""

import random
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from proxy.session.shared.ran import Ran
from proxy.session.shared.traceparent import parent_of
from proxy.sql.digest import digest_id, digest_text
from proxy.tracing.span import Attributes, Event, Exporter, Parent, Span
from topology.servers import Server

_LONGEST_TEXT: Final = 4096
# Of at most some 20 KiB each.
_MOST_TEXTS: Final = 256
# As the semantic conventions limit it.
_LONGEST_SUMMARY: Final = 255
_NANOSECONDS: Final = 1_000_000_000
_UNREMEMBERED: Final = "statement"
_OPERATION: Final = re.compile(r"[A-Za-z]+")


class Spans:
    """Those of one process. A client decides for its own traces; of statements that are in none a share is traced.

    That share is `ratio`, 0 to 1.
    """

    def __init__(self, exporter: Exporter, ratio: float, chance: Callable[[], float] = random.random) -> None:
        self.exporter = exporter
        self._ratio = ratio
        self._chance = chance

    def note(self, ran: Ran) -> None:
        """A statement has run."""
        parent = parent_of(ran)
        if parent.sampled if parent is not None else self._chance() < self._ratio:
            self.exporter.export(span_of(ran, parent, time.time_ns()))


def span_of(ran: Ran, parent: Parent | None, end: int) -> Span:
    """The span of a statement that ended then, in nanoseconds since 1970."""
    begin = end - round(ran.seconds * _NANOSECONDS)
    of_text = _of_text(ran.request.statement.tally.key)
    name = str(of_text.get("db.query.summary", _UNREMEMBERED))
    return Span(name, begin, end, bool(ran.errno), {**of_text, **_of_run(ran)}, _waits(ran, end), parent)


@lru_cache(_MOST_TEXTS)
def _of_text(key: bytes) -> Attributes:
    """Of a digest, by its key in the cache: making it readable takes longer than all the rest."""
    digest = digest_text(key)
    if not digest:
        return {}
    operation = _OPERATION.search(digest)
    return {
        **({"db.operation.name": operation[0]} if operation is not None else {}),
        "db.query.summary": digest[:_LONGEST_SUMMARY],
        "db.query.text": digest[:_LONGEST_TEXT],
        "manyreads.digest.id": digest_id(digest),
    }


def _of_run(ran: Ran) -> Attributes:
    host, _, port = ran.whose.address.rpartition(":")
    failure = {"error.type": str(ran.errno), "db.response.status_code": str(ran.errno)} if ran.errno else {}
    return {
        "db.system.name": "mysql" if ran.whose.vendor is None else str(ran.whose.vendor),
        "client.address": host.strip("[]"),
        **({"client.port": int(port)} if port.isdigit() else {}),
        "manyreads.route.reason": ran.request.route.reason,
        "manyreads.user": ran.whose.user,
        "db.response.returned_rows": ran.rows,
        "manyreads.queued": ran.queued,
        "manyreads.served": ran.served,
        **failure,
        **_of_server(ran.server),
    }


def _of_server(server: Server | None) -> Attributes:
    if server is None:
        return {}
    return {
        "server.address": server.host,
        "server.port": server.port,
        "manyreads.server": server.name,
        "manyreads.server.role": str(server.role),
    }


def _waits(ran: Ran, end: int) -> tuple[Event, ...]:
    """When it began to wait for a fresh replica or a connection, if it did, and when it was sent to the server."""
    sent = end - round(ran.served * _NANOSECONDS)
    events: tuple[Event, ...] = ()
    if ran.queued:
        what = "freshness" if ran.request.waited else "connection"
        events = (Event("waiting", sent - round(ran.queued * _NANOSECONDS), {"manyreads.wait.for": what}),)
    return (*events, Event("sent", sent)) if ran.request.sent and ran.server is not None else events
