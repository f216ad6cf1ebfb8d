"""Is there room for one more client? Those who log in make room for others when they take long."""

import logging
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from proxy.accounts.table import host_names
from proxy.errors import ClientFault
from proxy.session.core.wording import host_is_blocked, host_not_allowed
from proxy.session.login.refused import BLOCKED, BY_ADDRESS
from proxy.session.shared.context import Context, Login
from proxy.wire import constants as c
from proxy.wire.replies import Err
from topology.servers import Vendor

log = logging.getLogger(__name__)

# A login takes a few round trips. Who has been at it for longer than this has no right to keep others out.
_GRACE: Final = 1.0


def admit(context: Context, now: float) -> None:
    """Make sure that there is room for the newest login. Raises ClientFault when there is none."""
    if context.hurrying:
        raise ClientFault(Err(c.ER_SERVER_SHUTDOWN, "The proxy is shutting down", "08S01"))
    if context.memory.full:
        raise ClientFault(context.memory.refused("login"))
    if context.clients <= context.settings.max_connections:
        return
    slow = _slowest(context)
    if slow is None or now - slow.since < _GRACE:
        raise ClientFault(Err(c.ER_CON_COUNT, "Too many connections", "08004"))
    log.info("%s: cut off after %.1f s without a login, for another client", slow.name, now - slow.since)
    slow.cut_off()


def _slowest(context: Context) -> Login | None:
    """The longest of those that have not proved who they are; they come in the order in which they arrived."""
    return next((login for login in context.logins.values() if login.stranger), None)


def covered(networks: Iterable[IPv4Network | IPv6Network], address: str) -> bool:
    """Whether one of the networks has the IP address."""
    plain = ip_address(host_names(address)[-1])
    return any(plain in network for network in networks)


def admit_client(context: Context, address: str, now: float) -> None:
    """Raise ClientFault where nobody is let in from `address`, or not yet."""
    host, networks = host_names(address)[0], context.settings.allowed_networks
    if networks and address and not covered(networks, address):
        log.info("%s is in none of allowed_networks", address)
        context.logins_refused[BY_ADDRESS] += 1
        observation = context.monitor.snapshot.primary.observation
        raise ClientFault(host_not_allowed(host, None if observation is None else observation.vendor))
    if rest := context.failures.rest_of_address(address, now):
        context.logins_refused[BLOCKED] += 1
        raise ClientFault(host_is_blocked(host, rest))


async def admit_address(context: Context, address: str) -> None:
    """Count one more connection from `address`, until `leave_address`. Raises ClientFault for one too many."""
    context.addresses[address] += 1
    most = context.settings.max_connections_per_address
    try:
        elsewhere = await context.colleagues.from_address(address) if most else 0
    except BaseException:
        context.leave_address(address)
        raise
    if most and context.addresses[address] + elsewhere > most:
        context.leave_address(address)
        message = f"Too many connections from {address} (max_connections_per_address is {most})"
        raise ClientFault(Err(c.ER_CON_COUNT, message, "08004"))


async def admit_host(context: Context, address: str, vendor: Vendor | None) -> None:
    """Raise ClientFault, in the words of a server of `vendor`, where no account is for clients from `address`."""
    if not await context.directory.covers(address):
        raise ClientFault(host_not_allowed(host_names(address)[0], vendor))
