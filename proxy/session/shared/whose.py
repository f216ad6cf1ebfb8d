"""What the log of statements says of a session."""

from proxy.backend.login import Identity
from proxy.session.shared.context import Context
from proxy.session.shared.ran import Whose
from proxy.wire.constants import CLIENT_QUERY_ATTRIBUTES


def whose(context: Context, identity: Identity, name: str) -> Whose:
    """The session of `identity`, called `name` in the log."""
    observation = context.monitor.snapshot.primary.observation
    vendor = observation.vendor if observation is not None else None
    return Whose(identity.user, name, vendor, bool(identity.capabilities & CLIENT_QUERY_ATTRIBUTES))
