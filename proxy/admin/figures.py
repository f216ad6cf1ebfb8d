"""What one process of a proxy has counted and has at hand, as values; those of several are added up here. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from proxy.admin.views import DigestView, PoolFigure, SessionView
from proxy.routing.policy import Target
from proxy.sql.tally import BOUNDS, Histogram


@dataclass(frozen=True, slots=True)
class Parts:
    """What is wanted beside the counts. `sessions` are so many at most, `digests` those that ran most often, `heaviest`
    those that took most time."""

    sessions: int = 0
    pools: bool = False
    digests: bool = False
    heaviest: bool = False
    events: bool = False


@dataclass(slots=True)
class Times:
    """A histogram as a value: counts by bucket, and the sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, other: "Times") -> None:
        """Count what `other` counted, too."""
        self.counts = [own + more for own, more in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds


def times(histogram: Histogram) -> Times:
    """That of a histogram."""
    return Times(list(histogram.counts), histogram.seconds)


@dataclass(slots=True)
class Given:
    """What one server was given."""

    reads: int = 0
    others: int = 0
    errors: int = 0
    served: Times = field(default_factory=Times)


@dataclass(slots=True)
class Way:
    """How often a route was taken."""

    on_primary: int = 0
    on_replicas: int = 0


@dataclass(frozen=True, slots=True)
class Digest:
    """`DigestView` as a value."""

    digest: str
    primary: int
    replicas: int
    errors: int
    rows: int
    affected: int
    reason: str
    seen: float
    served: Times
    example: str


@dataclass(slots=True)
class Figures:
    """Counts by name in `counts`, those of now in `levels`; `late` is by how much an event loop was late, in seconds.

    `given` is by server, `ways` by target and reason.
    """

    counts: dict[str, int] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    late: float = 0.0
    given: dict[str, Given] = field(default_factory=dict)
    ways: dict[tuple[Target, str], Way] = field(default_factory=dict)
    sessions: list[SessionView] = field(default_factory=list)
    pools: list[PoolFigure] = field(default_factory=list)
    digests: list[Digest] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def kept(self) -> "Figures":
        """What stays true of it when its process has ended."""
        return Figures(counts=self.counts, given=self.given, ways=self.ways)


def added(parts: Iterable[Figures]) -> Figures:
    """All together. Digests and pools are those of several processes, until `digest_views` and `summed`."""
    found = Figures()
    for part in parts:
        for own, more in ((found.counts, part.counts), (found.levels, part.levels)):
            for name, count in more.items():
                own[name] = own.get(name, 0) + count
        found.late = max(found.late, part.late)
        for server, given in part.given.items():
            _add_given(found.given.setdefault(server, Given()), given)
        for key, way in part.ways.items():
            own_way = found.ways.setdefault(key, Way())
            own_way.on_primary += way.on_primary
            own_way.on_replicas += way.on_replicas
        found.sessions += part.sessions
        found.pools += part.pools
        found.digests += part.digests
        found.events += part.events
    return found


def _add_given(own: Given, more: Given) -> None:
    own.reads += more.reads
    own.others += more.others
    own.errors += more.errors
    own.served.add(more.served)


def digest_of(view: DigestView) -> Digest:
    """A digest as a value."""
    return Digest(
        view.digest,
        view.primary,
        view.replicas,
        view.errors,
        view.rows,
        view.affected,
        view.reason,
        view.seen,
        times(view.served),
        view.example,
    )


def digest_views(digests: Iterable[Digest]) -> list[DigestView]:
    """One for each digest, with what all processes have counted of it."""
    found: dict[str, DigestView] = {}
    for one in digests:
        known = found.get(one.digest) or DigestView(one.digest, 0, 0, 0, 0, 0, "", 0.0, Histogram(), "")
        last = one.seen >= known.seen
        more = Histogram()
        more.counts, more.seconds = one.served.counts, one.served.seconds
        known.served.add(more)
        found[one.digest] = DigestView(
            one.digest,
            known.primary + one.primary,
            known.replicas + one.replicas,
            known.errors + one.errors,
            known.rows + one.rows,
            known.affected + one.affected,
            one.reason if last else known.reason,
            max(one.seen, known.seen),
            known.served,
            known.example or one.example,
        )
    return list(found.values())


def summed(figures: Iterable[PoolFigure]) -> Iterable[PoolFigure]:
    """One for each server and user."""
    found: dict[tuple[str, str], PoolFigure] = {}
    for one in figures:
        key = one.server, one.user
        sum_ = found.get(key) or PoolFigure(*key)
        found[key] = PoolFigure(
            *key,
            sum_.opened + one.opened,
            sum_.in_use + one.in_use,
            sum_.idle + one.idle,
            sum_.waiting + one.waiting,
            sum_.free + one.free,
            sum_.most + one.most,
        )
    return found.values()
