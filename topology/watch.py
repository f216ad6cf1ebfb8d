"""What the data plane needs to know of the servers, and what it tells of them: whoever watches them."""

from collections.abc import Callable
from typing import Protocol

from topology.environment import Deployment
from topology.freshness import Freshness, Tables
from topology.health import Limits
from topology.servers import Server, Snapshot
from topology.shares import Shares


class Watch(Protocol):
    """Who watches one deployment: `topology.monitor` in this process, or another process that publishes it here.

    `snapshot` is the latest judgement, replaced whole and never changed.
    """

    snapshot: Snapshot
    freshness: Freshness

    @property
    def deployment(self) -> Deployment:
        """The servers that are watched."""

    @property
    def accepted_writes(self) -> bool:
        """Whether the primary was seen to accept writes."""

    def heed(self, interval: float, limits: Limits, shares: Shares) -> None:
        """Watch in another way from now on."""

    def current(self, server: Server) -> bool:
        """Whether `server` still has this role, and its address still leads to it."""

    def answers(self, server: Server) -> bool:
        """Whether `server`, which may have another role by now, is still there as far as is known."""

    def begin_definition(self) -> None:
        """A statement that may be DDL is on its way."""

    def end_definition(self) -> None:
        """It is over, and is noted next as a write that defines."""

    def note_write(self, tables: Tables, *, defines: bool) -> None:
        """A write to `tables` (resolved) was acknowledged by the primary; `defines`: it may have been DDL."""

    async def locate(self) -> None:
        """Have a position of the primary that holds all acknowledged writes, unless the primary is silent."""

    def hopeful(self, seconds: float) -> bool:
        """Whether some replica may be confirmed in so many seconds."""

    def report_failure(self, server: Server, reason: str) -> None:
        """The data path could not use `server`: counts at once."""

    def look(self) -> None:
        """Ask all servers at once how they are."""

    async def look_twice(self) -> None:
        """Know who is primary by now."""

    def on_change(self, listener: Callable[[Snapshot], None]) -> None:
        """Call `listener` with each Snapshot that differs from the one before."""

    def on_move(self, listener: Callable[[], None]) -> None:
        """Call `listener` when a server has another role, or another server answers at its address."""

    def on_silence(self, listener: Callable[[Server], None]) -> None:
        """Call `listener` with each server that went down because its probes were not answered."""
