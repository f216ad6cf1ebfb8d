"""What the sessions of one process need of the proxy's other processes, and how that is where there are none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from proxy.admin.figures import Figures, Parts
from proxy.admin.views import SessionView
from proxy.session.shared.kills import Target
from proxy.sql.own import Order

Gone = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Held:
    """What came of holding writes: how many sessions were still in the middle of something; whether they are held."""

    left: int
    held: bool


class Colleagues(Protocol):
    """All processes of a proxy, this one among them."""

    async def figures(self, parts: Parts) -> Figures:
        """What all have counted, and the parts that are wanted."""

    async def order(self, order: Order) -> bool:
        """Drain a replica, put it back into use, or give it a weight; False if there is none of that name."""

    async def hold(self, seconds: float, gone: Gone) -> Held:
        """Hold writes everywhere. `gone` tells that nobody waits for it any more."""

    async def resume(self) -> None:
        """Hold them no longer."""

    async def find(self, number: int, *, connection: bool) -> Target | None:
        """The session of another process that goes by `number`; if it has a thread, that is condemned already."""

    async def end_session(self, number: int) -> SessionView | None:
        """Close the session with that number; returns what it was, None if there is none."""

    async def from_address(self, address: str) -> int:
        """How many connections from a client's address the other processes have."""
