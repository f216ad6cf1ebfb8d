"""Which replica may become the primary, and how far a change that was broken off had come. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replication.errors import Diverged, Refused
from replication.facts import ServerFacts
from replication.interlocks import LOOPBACK, check_fits, check_primary, is_source, logs_what_it_applies
from replication.states import State, Verdict
from topology.errors import ManyreadsError
from topology.gtid import beyond, covers, shares_history
from topology.servers import Vendor


@dataclass(frozen=True, slots=True)
class Succession:
    """`new` takes over from `old`, and `others` follow it as well.

    `begun` tells that an earlier run got so far that there is only forward; `attached` are the names of those that
    follow `new` already.
    """

    old: ServerFacts
    new: ServerFacts
    others: tuple[ServerFacts, ...]
    begun: bool = False
    attached: frozenset[str] = frozenset()

    @property
    def followers(self) -> tuple[ServerFacts, ...]:
        """All that shall follow the new primary."""
        return (self.old, *self.others)

    @property
    def done(self) -> bool:
        """Whether nothing is left to be done."""
        return self.begun and self.attached == {each.name for each in self.followers}


def plan(
    primary: ServerFacts, replicas: Sequence[ServerFacts], verdicts: Mapping[str, Verdict], to: str, host: str
) -> Succession:
    """Who takes over; `to` is a replica's name, or empty for the first one that may. `host` is where others reach it.

    Raises a ManyreadsError with the remedy when nobody may.
    """
    heir = _begun(primary, replicas)
    if heir is not None:
        return _resumed(primary, heir, replicas, to)
    problems: list[ManyreadsError] = []
    for candidate in sorted(replicas, key=lambda each: verdicts[each.name].lag or 0.0):
        if to in ("", candidate.name):
            try:
                return _checked(primary, candidate, replicas, verdicts, host)
            except ManyreadsError as error:
                problems.append(error)
    raise problems[0]


def _begun(primary: ServerFacts, replicas: Sequence[ServerFacts]) -> ServerFacts | None:
    """The replica that an earlier run had already taken away from the primary."""
    marker = primary.marker
    if marker is None:
        return None
    return next((each for each in replicas if each.identity == marker.primary and not each.channels), None)


def _resumed(primary: ServerFacts, heir: ServerFacts, replicas: Sequence[ServerFacts], to: str) -> Succession:
    if to not in ("", heir.name):
        raise Refused(
            f"{heir.server} is taking over from {primary.server}, or has already",
            f"finish that first: switchover {heir.name}; then name {heir.name} as the primary",
        )
    others = tuple(each for each in replicas if each is not heir)
    for each in (primary, *others):
        if beyond(each.vendor, each.gtid, heir.gtid):
            raise Diverged(
                f"{each.server} has transactions that {heir.server}, which takes over, lacks",
                f"find out who wrote there; if those may go, name {heir.name} as the primary and run startsync with "
                f"--force {each.name}",
            )
    attached = frozenset(each.name for each in (primary, *others) if any(is_source(c, heir) for c in each.channels))
    return Succession(primary, heir, others, begun=True, attached=attached)


def _checked(
    primary: ServerFacts,
    candidate: ServerFacts,
    replicas: Sequence[ServerFacts],
    verdicts: Mapping[str, Verdict],
    host: str,
) -> Succession:
    others = tuple(each for each in replicas if each is not candidate)
    if primary.channels:
        raise Refused(
            f"{primary.server} is itself a replica of {primary.channels[0].address}",
            "only who is nobody's replica can be succeeded; name that server as the primary",
        )
    for each in (candidate, *others):
        _check_state(each, verdicts[each.name])
        _check_history(primary, each)
    _check_heir(candidate)
    for each in (primary, *others):
        check_fits(candidate, each)
        if host in LOOPBACK and each.server.host not in LOOPBACK:
            raise Refused(
                f"{each.server} cannot reach {candidate.name} as {host}, which is a loopback address",
                "name the address that the others see with --target-address HOST:PORT",
            )
    for each in others:
        if not covers(each.vendor, each.applied, candidate.purged):
            raise Refused(
                f"what {each.server} lacks is not in the binary log of {candidate.server} any more",
                "wait until it is not behind and run this again",
            )
    return Succession(primary, candidate, others)


def _check_state(replica: ServerFacts, verdict: Verdict) -> None:
    if verdict.state is State.AHEAD:
        raise Diverged(f"{replica.server} is {verdict.state}: {verdict.reason}", verdict.remedy)
    if verdict.state is not State.HEALTHY:
        raise Refused(
            f"{replica.server} is {verdict.state}: {verdict.reason}",
            f"{verdict.remedy}; or leave it out and attach it later",
        )


def _check_history(primary: ServerFacts, replica: ServerFacts) -> None:
    """Raise Diverged for transactions of its own; on MariaDB also those that its position does not show."""
    if replica.vendor is Vendor.MYSQL:
        errant = beyond(replica.vendor, replica.gtid, primary.gtid)
    else:
        known = ",".join(primary.variables.get(each, "") for each in ("gtid_binlog_state", "gtid_slave_pos"))
        errant = not shares_history(replica.variables.get("gtid_binlog_state", ""), known)
    if errant:
        raise Diverged(
            f"{replica.server} has transactions that {primary.server} lacks",
            "find out who wrote to it and whether the data is equal: verify",
        )


def _check_heir(candidate: ServerFacts) -> None:
    check_primary(candidate)
    if not logs_what_it_applies(candidate):
        raise Refused(
            f"{candidate.server} does not log what it applies, so the others could not go on from it",
            "switch log_slave_updates (log_replica_updates) on in its configuration and restart it",
        )
