"""What an operator can choose, what a change of the primary knows while it is under way, and how it ended."""

from dataclasses import dataclass, field

from replication import wakeup
from replication.defaults import REPLICATION_USER
from replication.errors import ExitCode, exit_code
from replication.report import Reporter
from replication.statements import Dialect, Source
from replication.states import Limits
from replication.succession import Succession
from topology.errors import ManyreadsError
from topology.servers import Server
from topology.sqlclient import SqlClient


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator can choose. Times are in seconds.

    `wait` bounds the wait for servers and for followers to catch up, `drain` that for open transactions, `max_pause`
    the time for which nobody can write. `primary_address` and `target_address` are where replicas reach the primary and
    its successor, where that is not where we do. `proxies` are asked to hold their clients' writes meanwhile.
    """

    to: str = ""
    wait: float = 60.0
    drain: float = 10.0
    max_pause: float = 10.0
    max_lag: float = Limits().max_lag
    dry_run: bool = False
    replication_user: str = REPLICATION_USER
    primary_address: tuple[str, int] | None = None
    target_address: tuple[str, int] | None = None
    proxies: tuple[Server, ...] = ()


@dataclass(frozen=True, slots=True)
class Follower:
    """How one of those ended that shall follow the new primary."""

    server: Server
    error: ManyreadsError | None = None


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How a run ended: `new` is the primary as of `gtid`, unless it was a dry run.

    `paused` is for how many seconds nobody could write; `ended` counts the transactions that were rolled back.
    """

    old: Server
    new: Server
    followers: tuple[Follower, ...] = ()
    action: str = "switch over"
    gtid: str = ""
    paused: float = 0.0
    ended: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """OK, or the code of the first follower that failed."""
        return next((exit_code(each.error) for each in self.followers if each.error is not None), ExitCode.OK)


@dataclass(slots=True)
class Run:
    """A change of the primary that is under way. `paused` and `closed_at` are in seconds of a monotonic clock."""

    options: Options
    reporter: Reporter
    change: Succession
    words: Dialect
    control: SqlClient
    """A session on the old primary."""
    before: Source
    """How replicas follow the old primary."""
    after: Source
    """How they follow the new one; without a password until that accepts writes."""
    gtid: str = ""
    closed_at: float = 0.0
    paused: float = 0.0
    ended: int = 0
    awake: wakeup.Awake = field(default_factory=wakeup.Awake)
