"""Roles that change, and servers that are others than before."""

import logging

import pytest

from topology.seating import Seating
from topology.servers import Observation, ReplicaStatus, Role, Server

SERVERS = (Server("w", "h", 1, Role.PRIMARY), Server("a", "h", 2, Role.REPLICA))
WRITES = Observation(identity="1")
FOLLOWS = Observation(identity="2", read_only=True, replica=ReplicaStatus("1", True, True, 0))
DOWN = Observation(error="refused")
PROMOTED = Observation(identity="2")


def started(tie: str = "") -> Seating:
    seating = Seating(SERVERS, tie)
    assert not seating.take("w", WRITES)
    assert not seating.take("a", FOLLOWS)
    return seating


def test_a_change_of_roles() -> None:
    seating = started()
    old, replica = seating.servers["w"], seating.servers["a"]
    moves = [seating.take(*look) for look in (("w", DOWN), ("w", DOWN), ("a", PROMOTED), ("a", PROMOTED))]
    assert moves == [frozenset(), frozenset(), frozenset(), {"w", "a"}]
    assert (seating.primary, seating.accepted_writes, seating.doubt, seating.split) == ("a", True, "", "")
    assert [seating.servers[name].role for name in "wa"] == [Role.REPLICA, Role.PRIMARY]
    assert seating.servers["w"] is not old
    assert all(map(seating.same, (old, replica, *seating.servers.values())))


def test_another_server_at_the_same_address() -> None:
    seating = started()
    old = seating.servers["w"]
    assert not seating.take("w", Observation(identity="9"))
    assert "another server" in seating.doubt
    assert seating.take("w", Observation(identity="9")) == {"w"}
    now = seating.servers["w"]
    assert (now == old, now is old, seating.same(old), seating.same(now)) == (True, False, False, True)


def test_another_replica_at_the_same_address() -> None:
    seating = started()
    old = seating.servers["a"]
    assert not seating.take("a", DOWN)
    assert seating.take("a", Observation(identity="7", read_only=True)) == {"a"}
    assert not seating.same(old)
    assert not seating.take("a", Observation(identity="7", read_only=True))


def test_a_split_is_told(caplog: pytest.LogCaptureFixture) -> None:
    seating = started()
    for name, seen in (("a", PROMOTED), ("a", PROMOTED)):
        seating.take(name, seen)
    assert "claims" in seating.doubt
    seating.take("w", WRITES)
    assert seating.rivals == tuple("wa")
    assert seating.split == "w (h:1) and a (h:2) accept writes, where only one of them may"
    assert ("topology.seating", logging.ERROR, f"split brain: {seating.split}") in caplog.record_tuples
    for _ in range(2):
        seating.take("w", Observation(identity="1", read_only=True))
    found = seating.split, seating.rivals, seating.primary
    assert found == ("", (), "a")
    assert "only one server accepts writes again: a (h:2)" in caplog.text


def test_a_tie_that_is_broken_is_no_split() -> None:
    seating = started(tie="w")
    for name, seen in (("a", PROMOTED), ("a", PROMOTED), ("w", WRITES)):
        seating.take(name, seen)
    assert (seating.split, seating.rivals, seating.primary) == ("", ("w", "a"), "w")
