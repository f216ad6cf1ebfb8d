"""A process that is the whole proxy: it has no colleagues."""

from proxy.admin.figures import Figures, Parts
from proxy.admin.views import SessionView
from proxy.session.shared.colleagues import Gone, Held
from proxy.session.shared.context import Context
from proxy.session.shared.holding import hold_here
from proxy.session.shared.kills import Target
from proxy.session.shared.orders import carried_out
from proxy.session.shared.overview import figures
from proxy.sql.own import Order
from topology.monitor import Monitor


class Alone:
    """Does by itself what `proxy.session.shared.colleagues.Colleagues` says."""

    def __init__(self, context: Context, monitor: Monitor) -> None:
        self._context = context
        self._monitor = monitor

    async def figures(self, parts: Parts) -> Figures:
        """What this process has counted."""
        return figures(self._context, parts)

    async def order(self, order: Order) -> bool:
        """Drain a replica, put it back into use, or give it a weight."""
        return carried_out(self._monitor, order)

    async def hold(self, seconds: float, gone: Gone) -> Held:
        """Hold writes."""
        return await hold_here(self._context, seconds, gone)

    async def resume(self) -> None:
        """Hold them no longer."""
        self._context.gate.resume()

    async def find(self, number: int, *, connection: bool) -> Target | None:
        """There are no other processes."""
        return None

    async def from_address(self, address: str) -> int:
        """There are no other processes."""
        return 0

    async def end_session(self, number: int) -> SessionView | None:
        """Close a session."""
        return end_session(self._context, number)


def end_session(context: Context, number: int) -> SessionView | None:
    """Close a session of this process; returns what it was."""
    session = context.session(number)
    if session is None:
        return None
    view = session.view()
    session.close()
    return view
