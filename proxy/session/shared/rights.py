"""What a user may be shown, and may tell the proxy to do."""

from typing import Final

from proxy.session.shared.context import Context
from proxy.wire import constants as c
from proxy.wire.replies import Err


def _denied(privilege: str) -> Err:
    # As both vendors put it.
    message = f"Access denied; you need (at least one of) the {privilege} privilege(s) for this operation"
    return Err(c.ER_SPECIFIC_ACCESS_DENIED, message, "42000")


NO_PROCESS: Final = _denied("PROCESS")
NO_SUPER: Final = _denied("SUPER")


def may_see_all(context: Context, user: str, address: str) -> bool:
    """Whether other users' sessions and statements may be shown: what a server asks the PROCESS privilege for."""
    account = context.directory.find(user, address)
    return (account is not None and account.process) or user in context.settings.admin_users


def may_command(context: Context, user: str, address: str) -> bool:
    """Whether a user may keep others from writing, or a replica from being read."""
    account = context.directory.find(user, address)
    return (account is not None and account.superuser) or user in context.settings.admin_users
