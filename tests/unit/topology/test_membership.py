"""Members of clusters and groups, by what they say of themselves."""

import pytest

from topology.membership import galera_member, galera_position, group_member
from topology.servers import Member, Trouble

CLUSTER, GROUP = "6a8c1f0e-8f3b-11ee-a1c5-0242ac120002", "8a94f357-aab4-11df-86ab-c80aa9429562"
SYNCED = {
    "wsrep_cluster_state_uuid": CLUSTER,
    "wsrep_cluster_status": "Primary",
    "wsrep_last_committed": "5",
    "wsrep_local_state": "4",
    "wsrep_local_state_comment": "Synced",
    "wsrep_ready": "ON",
}


@pytest.mark.parametrize(
    ("differs", "state", "trouble"),
    [
        ({}, "Synced", None),
        ({"wsrep_local_state": "1", "wsrep_local_state_comment": "Joining"}, "Joining", Trouble.RECOVERING),
        ({"wsrep_local_state": "3", "wsrep_local_state_comment": "Joined"}, "Joined", Trouble.RECOVERING),
        ({"wsrep_local_state": "2", "wsrep_local_state_comment": "Donor/Desynced"}, "Donor/Desynced", Trouble.DONOR),
        ({"wsrep_local_state": "0", "wsrep_local_state_comment": "Initialized"}, "Initialized", Trouble.ERROR),
        ({"wsrep_ready": "OFF"}, "Synced", Trouble.ERROR),
        ({"wsrep_cluster_status": "non-Primary"}, "non-Primary, Synced", Trouble.NO_QUORUM),
        ({"wsrep_cluster_status": "Disconnected"}, "Disconnected, Synced", Trouble.NO_QUORUM),
    ],
)
def test_of_galera(differs: dict[str, str], state: str, trouble: Trouble | None) -> None:
    assert galera_member(SYNCED | differs) == Member(CLUSTER, state, trouble)


def test_a_galera_node_that_says_nothing() -> None:
    assert galera_member({}) == Member("", "unknown, ", Trouble.NO_QUORUM)
    assert galera_position({}) == ""


def test_positions_in_galera() -> None:
    assert galera_position(SYNCED) == f"{CLUSTER}:1-5"
    assert galera_position(SYNCED | {"wsrep_last_committed": "-1"}) == ""
    assert galera_position(SYNCED | {"wsrep_last_committed": "0"}) == ""


def rows(*states: str, group: str = GROUP) -> list[dict[str, str]]:
    """The first is the asked one's own."""
    return [{"id": str(at), "own": "0", "state": state, "group_name": group} for at, state in enumerate(states)]


@pytest.mark.parametrize(
    ("states", "trouble"),
    [
        (("ONLINE", "ONLINE", "ONLINE"), None),
        (("ONLINE", "ONLINE", "UNREACHABLE"), None),
        (("ONLINE", "RECOVERING", "ERROR"), None),
        (("ONLINE",), None),
        (("RECOVERING", "ONLINE"), Trouble.RECOVERING),
        (("ONLINE", "UNREACHABLE", "UNREACHABLE"), Trouble.NO_QUORUM),
        (("ONLINE", "UNREACHABLE"), Trouble.NO_QUORUM),
        (("ERROR",), Trouble.ERROR),
        (("something new",), Trouble.ERROR),
        (("OFFLINE",), Trouble.OFFLINE),
    ],
)
def test_of_group_replication(states: tuple[str, ...], trouble: Trouble | None) -> None:
    member = group_member(rows(*states))
    assert member is not None
    assert (member.group, member.trouble) == (GROUP, trouble)
    assert member.state.startswith(states[0])


def test_without_a_group() -> None:
    assert group_member(rows("OFFLINE", group="")) is None
    assert group_member([]) is None
    # One that was never started has no id.
    assert group_member([{**rows("OFFLINE")[0], "id": ""}]) == Member(GROUP, "OFFLINE", Trouble.OFFLINE)
