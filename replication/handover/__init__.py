"""A planned change of the primary: writes are refused for a moment, and no transaction is lost or made twice."""

from replication.handover.order import hand_over
from replication.handover.run import Follower, HandedOver, Options

__all__ = ["Follower", "HandedOver", "Options", "hand_over"]
