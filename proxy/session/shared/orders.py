"""What operators have done to replicas, by SQL and over HTTP."""

from proxy.sql.own import Deed, Order
from topology.monitor import Monitor


def carried_out(monitor: Monitor, order: Order) -> bool:
    """Do it; False if there is no replica of that name."""
    if order.deed is Deed.WEIGHT:
        return monitor.weigh(order.server, order.weight)
    return monitor.order(order.server, drain=order.deed is Deed.DRAIN)
