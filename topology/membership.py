"""What a member of a Galera cluster or of a Group Replication group says of itself, as values. Pure.

Their members follow no source: whether one has what the others have, and may be used, is in its state in the group.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from topology.servers import Member, Trouble

IS_GALERA: Final = "SHOW GLOBAL VARIABLES LIKE 'wsrep_on'"
"""MariaDB's; a server that was built without it has no such variable."""

GALERA_STATUS: Final = (
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_cluster_state_uuid', "
    "'wsrep_local_state', 'wsrep_local_state_comment', 'wsrep_last_committed')"
)
"""Answered in any state, also where a SELECT is refused."""

IS_GROUP_REPLICATION: Final = (
    "SELECT COUNT(*) FROM information_schema.PLUGINS "
    "WHERE PLUGIN_NAME = 'group_replication' AND PLUGIN_STATUS = 'ACTIVE'"
)
GROUP_MEMBERS: Final = (
    "SELECT MEMBER_ID AS id, MEMBER_STATE AS state, MEMBER_ROLE AS role, @@server_uuid AS own, "
    "@@global.group_replication_group_name AS group_name FROM performance_schema.replication_group_members"
)
"""MySQL's; as the asked member sees the group. Needs SELECT on that table."""

# wsrep_local_state, see https://galeracluster.com/library/documentation/node-states.html
_GALERA_TROUBLES: Final[Mapping[str, Trouble | None]] = {
    "1": Trouble.RECOVERING,  # Joining: asks for, or receives, what it lacks
    "2": Trouble.DONOR,  # Donor/Desynced: gives another one its data, or an operator has desynced it
    "3": Trouble.RECOVERING,  # Joined: has the data, applies what came since
    "4": None,  # Synced
}
_GROUP_TROUBLES: Final[Mapping[str, Trouble | None]] = {
    "ONLINE": None,
    "RECOVERING": Trouble.RECOVERING,
    "OFFLINE": Trouble.OFFLINE,
    "ERROR": Trouble.ERROR,
}


def galera_member(status: Mapping[str, str]) -> Member:
    """By the rows of GALERA_STATUS, names in lower case. All members take writes."""
    component = status.get("wsrep_cluster_status", "")
    comment = status.get("wsrep_local_state_comment", "")
    group = status.get("wsrep_cluster_state_uuid", "")
    if component.lower() != "primary":
        return Member(group, f"{component or 'unknown'}, {comment}", Trouble.NO_QUORUM)
    trouble = _GALERA_TROUBLES.get(status.get("wsrep_local_state", ""), Trouble.ERROR)
    if trouble is None and status.get("wsrep_ready", "").upper() != "ON":
        trouble = Trouble.ERROR
    return Member(group, comment, trouble)


def galera_position(status: Mapping[str, str]) -> str:
    """Everything that the member has applied; empty if that is not known.

    A cluster numbers its transactions without gaps: when it has the fifth, that is `uuid:1-5`.
    """
    cluster, number = status.get("wsrep_cluster_state_uuid", ""), status.get("wsrep_last_committed", "")
    return f"{cluster}:1-{number}" if cluster and number.isdecimal() and int(number) > 0 else ""


def group_member(rows: Iterable[Mapping[str, Any]]) -> Member | None:
    """By the rows of GROUP_MEMBERS; None if the plugin is there, but no group was named."""
    members = list(rows)
    own = next((row for row in members if row["id"] in (row["own"], "")), None)
    if own is None or not own["group_name"]:
        return None
    group, state = str(own["group_name"]), str(own["state"])
    unreachable = sum(row["state"] == "UNREACHABLE" for row in members)
    if unreachable * 2 >= len(members):
        return Member(group, f"{state}, {unreachable} of {len(members)} members unreachable", Trouble.NO_QUORUM)
    return Member(group, state, _GROUP_TROUBLES.get(state, Trouble.ERROR))
