"""Interlocks around data: what a copy would destroy, and whether histories go on from each other. Pure."""

from collections.abc import Iterable

from replication.errors import Diverged, Purged, Refused
from replication.facts import Phase, ServerFacts
from replication.interlocks import LOOPBACK, logs_what_it_applies
from topology.gtid import beyond, covers, shares_history
from topology.servers import Vendor

_SMALL_BYTES = 10_000_000
_SMALL_TABLES = 10


def losses(target: ServerFacts) -> str:
    """What wiping `target` would destroy, one schema a line."""
    return "\n".join(
        f"    schema {schema.name}: {schema.tables} tables, about {schema.rows:,} rows, {schema.bytes / 1e6:,.1f} MB"
        for schema in target.user_schemas
    )


def would_be_lost(target: ServerFacts) -> Refused:
    return Refused(
        f"{target.server} holds data that would be lost:\n{losses(target)}",
        f"if that data may go, run again with --force {target.name}",
    )


def check_data_behind(primary: ServerFacts, target: ServerFacts) -> None:
    if target.user_schemas and not primary.user_schemas:
        raise Refused(
            f"{primary.server} holds no data but {target.server} does:\n{losses(target)}",
            "check that these are not mixed up; to set up from an empty primary, drop the replica's schemas first",
        )


def check_not_shrunk(primary: ServerFacts, target: ServerFacts) -> None:
    """Raise Refused when the copy holds so much more than the primary that the primary may be the one that lost data.

    Sizes are the servers' estimates, and of small tables say little.
    """
    ours, theirs = target.user_schemas, primary.user_schemas
    size, left = sum(each.bytes for each in ours), sum(each.bytes for each in theirs)
    tables, tables_left = sum(each.tables for each in ours), sum(each.tables for each in theirs)
    shrunk = size > 2 * left and size - left > _SMALL_BYTES
    if shrunk or (tables > 2 * tables_left and tables - tables_left > _SMALL_TABLES):
        raise Refused(
            f"{primary.server} holds less than half of what {target.server} does: {tables_left} tables of "
            f"{left / 1e6:,.1f} MB against {tables} of {size / 1e6:,.1f} MB",
            f"find out whether {primary.name} lost data; if it shall be copied, run again with --force {target.name}",
        )


def check_continues(primary: ServerFacts, target: ServerFacts) -> None:
    """Raise Diverged or Purged where GTIDs do not lead on from the target's."""
    remedy = f"look at what it has; if that may go, run again with --force {target.name}"
    if beyond(target.vendor, target.gtid, primary.gtid) or not _same_history(primary, target):
        raise Diverged(f"{target.server} has transactions that {primary.server} lacks", remedy)
    if not covers(target.vendor, target.applied, primary.purged):
        raise Purged(
            f"what {target.server} lacks is not in the binary log of {primary.server} any more",
            f"to copy it anew run again with --force {target.name}",
        )


def find_lender(primary: ServerFacts, target: ServerFacts, others: Iterable[ServerFacts]) -> ServerFacts | None:
    """A replica of the same primary whose binary log leads on from the target to what the primary still has."""
    return next((each for each in others if _lends(primary, target, each)), None)


def _lends(primary: ServerFacts, target: ServerFacts, other: ServerFacts) -> bool:
    vendor, marker = target.vendor, other.marker
    if marker is None or marker.phase is not Phase.DONE or marker.primary != primary.identity:
        return False
    serves = other.name != target.name and [channel.running for channel in other.channels] == [True]
    logs = other.on("log_bin") and logs_what_it_applies(other)
    understood = other.vendor is vendor and other.version[:2] <= target.version[:2]
    reached = other.server.host not in LOOPBACK or target.server.host in LOOPBACK
    # Its log begins where it was copied, and MariaDB's does not tell.
    begins_before = covers(vendor, target.applied, other.purged) and covers(vendor, target.applied, marker.gtid)
    leads_on = covers(vendor, other.applied, primary.purged) and not beyond(vendor, target.gtid, other.applied)
    of_the_primary = not beyond(vendor, other.gtid, primary.gtid)
    return serves and logs and understood and reached and begins_before and leads_on and of_the_primary


def _same_history(primary: ServerFacts, target: ServerFacts) -> bool:
    if target.vendor is Vendor.MYSQL:
        return True
    parts = (primary.variables.get(name, "") for name in ("gtid_binlog_state", "gtid_slave_pos"))
    return shares_history(target.applied, ",".join(parts))
