"""Decisions about replicas: facts in, plan or refusal out."""

from dataclasses import replace

import pytest

from replication.actions import Action, ReplicaPlan, Wanted
from replication.errors import Diverged, Purged, Refused, ReplicationBroken
from replication.facts import Channel, Marker, Phase, SchemaSize, ServerFacts
from replication.interlocks import check_primary
from replication.plan import decide, decide_all, new_server_ids
from topology.servers import Role, Server, Vendor

UUID = "11111111-1111-1111-1111-111111111111"
WANTED = Wanted("10.0.0.1", 3306)
FORCED = Wanted("10.0.0.1", 3306, frozenset({"dbread1"}))
DATA = (SchemaSize("app", 3, 1000, 5_000_000),)
CHANNEL = Channel("", "10.0.0.1", 3306, "1", "Yes", "Yes")


def facts(name: str, vendor: Vendor = Vendor.MARIADB) -> ServerFacts:
    primary = name == "dbwrite"
    return ServerFacts(
        server=Server(name, "10.0.0.1" if primary else "10.0.0.2", 3306, Role.PRIMARY if primary else Role.REPLICA),
        vendor=vendor,
        version=(10, 11, 9) if vendor is Vendor.MARIADB else (8, 4, 1),
        identity=UUID if primary else name,
        server_id=1 if primary else 2,
        variables={"log_bin": "ON", "gtid_mode": "ON", "lower_case_table_names": "0"},
        schemas=DATA if primary else (),
    )


PRIMARY = facts("dbwrite")
BLANK = facts("dbread1")
MARKED = replace(BLANK, marker=Marker(UUID, Phase.DONE), schemas=DATA)


def test_a_blank_replica_is_copied() -> None:
    assert decide(PRIMARY, BLANK, WANTED).action is Action.COPY


def test_schemas_without_tables_are_no_data() -> None:
    assert decide(PRIMARY, replace(BLANK, schemas=(SchemaSize("empty", 0),)), WANTED).action is Action.COPY


def test_data_is_only_wiped_by_force() -> None:
    target = replace(BLANK, schemas=DATA)
    with pytest.raises(Refused, match=r"schema app: 3 tables, about 1,000 rows, 5\.0 MB") as caught:
        decide(PRIMARY, target, WANTED)
    assert "--force dbread1" in caught.value.remedy
    assert decide(PRIMARY, target, FORCED).action is Action.COPY


def test_a_marked_replica_that_does_not_follow_any_more_is_copied_without_force() -> None:
    assert decide(PRIMARY, MARKED, WANTED).action is Action.COPY


def test_the_marker_of_another_primary_does_not_count() -> None:
    with pytest.raises(Refused, match="holds data"):
        decide(PRIMARY, replace(MARKED, marker=Marker("another", Phase.DONE)), WANTED)


def test_a_former_replica_that_went_its_own_way_is_not_wiped() -> None:
    target = replace(MARKED, gtid="0-2-11")
    with pytest.raises(Refused, match="has got transactions since"):
        decide(replace(PRIMARY, gtid="0-1-10"), target, WANTED)


@pytest.mark.parametrize(
    ("phase", "action"), [(Phase.COPYING, Action.COPY), (Phase.INDEXING, Action.COPY), (Phase.ATTACHING, Action.ATTACH)]
)
def test_an_interrupted_run_is_taken_up_again(phase: Phase, action: Action) -> None:
    assert decide(PRIMARY, replace(MARKED, marker=Marker(UUID, phase, "0-1-5")), WANTED).action is action


@pytest.mark.parametrize(
    ("channel", "action"),
    [
        (CHANNEL, Action.LEAVE),
        (replace(CHANNEL, io_running="No", sql_running="No"), Action.RESTART),
        (replace(CHANNEL, io_running="No", io_errno=1593, io_error="equal ids"), Action.RESTART),
        (replace(CHANNEL, io_running="Connecting", io_errno=1045, io_error="denied"), Action.REPOINT),
    ],
)
def test_a_replica_that_follows_gets_the_cheapest_repair(channel: Channel, action: Action) -> None:
    assert decide(PRIMARY, replace(MARKED, channels=(channel,)), WANTED).action is action


def test_a_healthy_replica_is_left_alone_even_by_force() -> None:
    assert decide(PRIMARY, replace(MARKED, channels=(CHANNEL,)), FORCED).action is Action.LEAVE


def test_a_replica_that_stopped_with_an_error_needs_force() -> None:
    target = replace(MARKED, channels=(replace(CHANNEL, sql_running="No", sql_errno=1062, sql_error="Duplicate"),))
    with pytest.raises(ReplicationBroken, match="error 1062: Duplicate"):
        decide(PRIMARY, target, WANTED)
    assert decide(PRIMARY, target, FORCED).action is Action.COPY


def test_a_replica_of_another_server_is_refused() -> None:
    target = replace(BLANK, channels=(replace(CHANNEL, host="10.9.9.9"),))
    with pytest.raises(Refused, match=r"follows 10\.9\.9\.9:3306"):
        decide(PRIMARY, target, WANTED)
    assert decide(PRIMARY, target, FORCED).action is Action.COPY


def test_mysql_knows_its_source_by_uuid_whatever_the_address() -> None:
    primary, target = facts("dbwrite", Vendor.MYSQL), facts("dbread1", Vendor.MYSQL)
    ours = replace(CHANNEL, host="another-name", source_id=UUID)
    assert decide(primary, replace(target, channels=(ours,)), WANTED).action is Action.LEAVE
    with pytest.raises(Refused, match="which is not"):
        decide(primary, replace(target, channels=(replace(ours, source_id="stranger"),)), WANTED)


def test_an_empty_primary_never_replaces_data() -> None:
    empty = replace(PRIMARY, schemas=())
    assert decide(empty, BLANK, WANTED).action is Action.COPY
    with pytest.raises(Refused, match="holds no data but dbread1"):
        decide(empty, replace(BLANK, schemas=DATA), FORCED)


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (replace(BLANK, is_primary=True), "is the primary itself"),
        (facts("dbread1", Vendor.MYSQL), "is mysql 8.4.1 but"),
        (replace(BLANK, version=(10, 6, 20)), "is older than"),
        (replace(BLANK, followers=("10.0.0.7:5000",)), r"has replicas of its own \(10\.0\.0\.7:5000\)"),
        (replace(BLANK, variables={"lower_case_table_names": "1"}), "lower_case_table_names = 1"),
    ],
)
def test_an_unfit_replica_is_refused_even_by_force(target: ServerFacts, problem: str) -> None:
    with pytest.raises(Refused, match=problem) as caught:
        decide(PRIMARY, target, FORCED)
    assert caught.value.remedy


@pytest.mark.parametrize("vendor", list(Vendor))
def test_a_primary_that_follows_its_replica_is_refused(vendor: Vendor) -> None:
    replica = facts("dbread1", vendor)
    channel = Channel("", "10.0.0.2", 3306, "dbread1" if vendor is Vendor.MYSQL else "2", "Yes", "Yes")
    primary = replace(facts("dbwrite", vendor), channels=(channel,))
    with pytest.raises(Refused, match="roles were exchanged"):
        decide(primary, replica, FORCED)


def test_an_older_patch_level_is_fine() -> None:
    assert decide(PRIMARY, replace(BLANK, version=(10, 11, 2)), WANTED).action is Action.COPY


def test_a_cloned_server_uuid_is_refused() -> None:
    primary, target = facts("dbwrite", Vendor.MYSQL), facts("dbread1", Vendor.MYSQL)
    with pytest.raises(Refused, match="same server_uuid") as caught:
        decide(primary, replace(target, identity=UUID), WANTED)
    assert "auto.cnf" in caught.value.remedy


def test_a_loopback_primary_cannot_be_reached_from_elsewhere() -> None:
    with pytest.raises(Refused, match="loopback") as caught:
        decide(PRIMARY, BLANK, Wanted("127.0.0.1", 3306))
    assert "--primary-address" in caught.value.remedy


@pytest.mark.parametrize(
    ("primary", "problem"),
    [
        (replace(PRIMARY, variables={"log_bin": "OFF"}), "log_bin is OFF"),
        (replace(PRIMARY, server_id=0), "server_id 0"),
        (replace(facts("dbwrite", Vendor.MYSQL), variables={"log_bin": "ON", "gtid_mode": "OFF"}), "gtid_mode OFF"),
        (replace(PRIMARY, channels=(CHANNEL,)), "does not log what it applies"),
    ],
)
def test_an_unfit_primary_is_refused(primary: ServerFacts, problem: str) -> None:
    with pytest.raises(Refused, match=problem) as caught:
        check_primary(primary)
    assert caught.value.remedy


def test_a_fit_primary_passes() -> None:
    check_primary(PRIMARY)
    check_primary(facts("dbwrite", Vendor.MYSQL))


def test_equal_server_ids_become_different() -> None:
    targets = [replace(facts(f"dbread{n}"), server_id=number) for n, number in enumerate((1, 5, 5, 0), 1)]
    assert new_server_ids(PRIMARY, targets) == {"dbread1": 6, "dbread3": 7, "dbread4": 8}


def test_a_renumbered_replica_in_step_is_restarted() -> None:
    target = replace(MARKED, channels=(CHANNEL,), server_id=1)
    plan = decide_all(PRIMARY, [target], WANTED)["dbread1"]
    assert isinstance(plan, ReplicaPlan)
    assert (plan.action, plan.new_server_id) == (Action.RESTART, 2)


def test_one_refusal_does_not_touch_the_others() -> None:
    other = replace(facts("dbread2"), schemas=DATA, server_id=3)
    plans = decide_all(PRIMARY, [BLANK, other], WANTED)
    assert isinstance(plans["dbread1"], ReplicaPlan)
    assert isinstance(plans["dbread2"], Refused)


HISTORY = {"gtid_binlog_state": "0-1-90,0-9-100", "gtid_slave_pos": ""}
SUCCESSOR = replace(
    PRIMARY, identity="successor", server_id=9, gtid="0-9-100", variables={**PRIMARY.variables, **HISTORY}
)
AT_90 = replace(MARKED, gtid="0-1-90", variables={**MARKED.variables, "gtid_slave_pos": "0-1-90"})
FOLLOWING = replace(AT_90, channels=(CHANNEL,))


def test_a_new_server_at_the_primarys_address_is_followed_without_a_copy() -> None:
    plan = decide(SUCCESSOR, FOLLOWING, WANTED)
    assert plan.action is Action.REPOINT
    assert "nothing has to be copied" in plan.reason


def test_a_replica_that_lost_its_source_is_attached_again_without_a_copy() -> None:
    assert decide(SUCCESSOR, AT_90, WANTED).action is Action.REPOINT


@pytest.mark.parametrize(
    "position",
    ["0-1-91", "0-2-50", "1-1-1"],
    ids=["further than its history", "counted by a stranger", "in another domain"],
)
def test_a_replica_with_a_history_of_its_own_is_not_attached(position: str) -> None:
    ahead = replace(FOLLOWING, gtid=position, variables={**FOLLOWING.variables, "gtid_slave_pos": position})
    with pytest.raises(Diverged, match="has transactions that"):
        decide(SUCCESSOR, ahead, WANTED)
    assert decide(SUCCESSOR, ahead, FORCED).action is Action.COPY


def test_what_the_binary_log_lost_has_to_be_copied() -> None:
    purged = replace(SUCCESSOR, purged="0-1-95")
    with pytest.raises(ReplicationBroken, match="not in the binary log"):
        decide(purged, FOLLOWING, WANTED)
    assert decide(purged, FOLLOWING, FORCED).action is Action.COPY


def test_a_binary_log_that_cannot_be_read_is_asked_for_anew_unless_it_is_purged() -> None:
    channel = replace(CHANNEL, io_running="No", io_errno=1236, io_error="bogus data")
    primary = replace(PRIMARY, gtid="0-1-95", variables={**PRIMARY.variables, "gtid_binlog_state": "0-1-95"})
    target = replace(AT_90, channels=(channel,))
    assert decide(primary, target, WANTED).action is Action.REPOINT
    assert decide(primary, target, FORCED).action is Action.COPY
    with pytest.raises(ReplicationBroken, match="not in the binary log"):
        decide(replace(primary, purged="0-1-93"), target, WANTED)


@pytest.mark.parametrize(
    ("had", "has", "refused"),
    [
        (SchemaSize("app", 3, 1000, 50_000_000), SchemaSize("app", 3, 1000, 20_000_000), True),
        (SchemaSize("app", 3, 1000, 50_000_000), SchemaSize("app", 3, 1000, 30_000_000), False),
        (SchemaSize("app", 3, 1000, 5_000_000), SchemaSize("app", 3, 10, 100_000), False),
        (SchemaSize("app", 40, 1000, 5_000_000), SchemaSize("app", 10, 1000, 5_000_000), True),
        (SchemaSize("app", 6, 1000, 5_000_000), SchemaSize("app", 1, 1000, 5_000_000), False),
    ],
)
def test_a_primary_that_lost_half_of_its_data_replaces_no_copy(had: SchemaSize, has: SchemaSize, refused: bool) -> None:
    primary, target = replace(PRIMARY, schemas=(has,)), replace(MARKED, schemas=(had,))
    if refused:
        with pytest.raises(Refused, match="holds less than half"):
            decide(primary, target, WANTED)
    else:
        assert decide(primary, target, WANTED).action is Action.COPY
    assert decide(primary, target, FORCED).action is Action.COPY


def test_an_unfinished_copy_is_no_measure_of_the_primary() -> None:
    had = (SchemaSize("app", 40, 1000, 50_000_000),)
    target = replace(MARKED, schemas=had, marker=Marker(UUID, Phase.COPYING))
    assert decide(replace(PRIMARY, schemas=DATA), target, WANTED).action is Action.COPY


def test_an_empty_server_at_the_primarys_address_gets_no_replicas_with_data() -> None:
    with pytest.raises(Refused, match="holds no data but dbread1"):
        decide(replace(SUCCESSOR, schemas=()), FOLLOWING, WANTED)


def test_a_position_that_was_set_back_is_not_gone_on_from() -> None:
    marker = Marker(PRIMARY.identity, Phase.DONE, "0-1-90")
    set_back = replace(AT_90, marker=marker, gtid="0-1-50", variables={"gtid_slave_pos": "0-1-50", **MARKED.variables})
    primary = replace(PRIMARY, gtid="0-1-90", variables={**PRIMARY.variables, "gtid_binlog_state": "0-1-90"})
    assert decide(primary, set_back, WANTED).action is Action.COPY


def test_mysql_attaches_by_the_sets_of_transactions() -> None:
    primary = replace(facts("dbwrite", Vendor.MYSQL), gtid=f"{UUID}:1-9", purged=f"{UUID}:1-4")
    channel = replace(CHANNEL, source_id="old-uuid")
    target = replace(facts("dbread1", Vendor.MYSQL), channels=(channel,), schemas=DATA, gtid=f"{UUID}:1-5")
    assert decide(primary, target, WANTED).action is Action.REPOINT
    with pytest.raises(Diverged):
        decide(primary, replace(target, gtid=f"{UUID}:1-10"), WANTED)
    with pytest.raises(ReplicationBroken, match="not in the binary log"):
        decide(primary, replace(target, gtid=f"{UUID}:1-3"), WANTED)


@pytest.mark.parametrize(
    "damaged",
    [
        replace(CHANNEL, sql_running="No", sql_errno=1594, sql_error="Relay log read failure"),
        replace(CHANNEL, io_running="No", sql_running="No", relay_log="relay-bin.000002"),
    ],
)
def test_a_damaged_relay_log_is_fetched_again(damaged: Channel) -> None:
    primary = replace(PRIMARY, gtid="0-1-90", variables={**PRIMARY.variables, "gtid_binlog_state": "0-1-90"})
    assert decide(primary, replace(AT_90, channels=(damaged,)), WANTED).action is Action.REPOINT


def test_a_replica_that_serves_is_copied_beside_where_that_was_asked_for() -> None:
    wanted = replace(WANTED, recopy=frozenset({"dbread1"}), by=Action.SHADOW)
    follows = replace(MARKED, channels=(CHANNEL,))
    plan = decide_all(PRIMARY, [follows], wanted)["dbread1"]
    assert isinstance(plan, ReplicaPlan)
    assert plan.action is Action.SHADOW
    assert "at least 5.0 MB" in plan.warnings[0]


@pytest.mark.parametrize(("size", "said"), [(999_999_999, False), (2_500_000_000, True)])
def test_a_large_copy_says_what_room_it_needs(size: int, said: bool) -> None:
    large = replace(PRIMARY, schemas=(SchemaSize("app", 1, 10, size),))
    plan = decide_all(large, [BLANK], WANTED)["dbread1"]
    assert isinstance(plan, ReplicaPlan)
    assert plan.action is Action.COPY
    assert any("2,500.0 MB more" in warning for warning in plan.warnings) == said


@pytest.mark.parametrize("phase", [Phase.COPYING, Phase.INDEXING])
def test_what_serves_nobody_is_copied_in_place(phase: Phase) -> None:
    wanted = replace(WANTED, recopy=frozenset({"dbread1"}), by=Action.SHADOW)
    assert decide(PRIMARY, BLANK, wanted).action is Action.COPY
    assert decide(PRIMARY, replace(MARKED, marker=Marker(UUID, phase)), wanted).action is Action.COPY


def test_a_copy_beside_that_was_not_finished_is_named() -> None:
    begun = replace(MARKED, channels=(CHANNEL,), shadow=Marker(UUID, Phase.COPYING))
    plan = decide_all(PRIMARY, [begun], WANTED)["dbread1"]
    assert isinstance(plan, ReplicaPlan)
    assert (plan.action, "resync dbread1 --shadow" in plan.warnings[0]) == (Action.LEAVE, True)


def test_only_what_differs_is_written_anew_where_that_was_asked_for() -> None:
    wanted = replace(WANTED, recopy=frozenset({"dbread1"}), by=Action.RENEW)
    primary, target = replace(PRIMARY, schemas=DATA), replace(MARKED, channels=(CHANNEL,))
    assert decide(primary, target, wanted).action is Action.RENEW
    with pytest.raises(Refused, match="holds data"):
        decide(primary, replace(BLANK, schemas=DATA), wanted)


PURGING = replace(
    PRIMARY, gtid="0-1-100", purged="0-1-95", variables={**PRIMARY.variables, "gtid_binlog_state": "0-1-100"}
)
LEFT_BEHIND = replace(
    MARKED,
    gtid="0-1-90",
    channels=(replace(CHANNEL, io_running="No", io_errno=1236, io_error="purged"),),
    variables={**BLANK.variables, "gtid_slave_pos": "0-1-90"},
)
LENDER = replace(
    facts("dbread2"),
    marker=Marker(UUID, Phase.DONE, "0-1-80"),
    gtid="0-1-99",
    purged="0-1-85",
    channels=(CHANNEL,),
    schemas=DATA,
    variables={**BLANK.variables, "gtid_slave_pos": "0-1-99", "log_slave_updates": "ON"},
)


def test_what_the_primary_has_purged_comes_from_another_replica() -> None:
    found = decide_all(PURGING, [LEFT_BEHIND], WANTED, [LENDER])["dbread1"]
    assert isinstance(found, ReplicaPlan)
    assert (found.action, found.lender) == (Action.DETOUR, LENDER)
    both = decide_all(PURGING, [LEFT_BEHIND, LENDER], WANTED)
    assert isinstance(both["dbread1"], ReplicaPlan)
    assert both["dbread1"].action is Action.DETOUR


@pytest.mark.parametrize(
    "lender",
    [
        replace(LENDER, marker=None),
        replace(LENDER, marker=Marker("another", Phase.DONE, "0-1-80")),
        replace(LENDER, marker=Marker(UUID, Phase.DONE, "0-1-91")),
        replace(LENDER, purged="0-1-92"),
        replace(LENDER, gtid="0-1-101"),
        replace(LENDER, channels=(replace(CHANNEL, sql_running="No"),)),
        replace(LENDER, channels=()),
        replace(LENDER, variables={**LENDER.variables, "gtid_slave_pos": "0-1-94"}),
        replace(LENDER, variables={**LENDER.variables, "log_slave_updates": "OFF"}),
        replace(LENDER, variables={**LENDER.variables, "log_bin": "OFF"}),
        replace(LENDER, version=(11, 4, 2)),
        replace(LENDER, server=replace(LENDER.server, host="127.0.0.1")),
        replace(LENDER, vendor=Vendor.MYSQL),
    ],
    ids=[
        "no copy of ours",
        "of another primary",
        "copied later",
        "purged too",
        "transactions of its own",
        "stopped",
        "detached",
        "too far behind",
        "logs nothing of the primary",
        "no binary log",
        "newer than the replica",
        "not reached from there",
        "another vendor",
    ],
)
def test_no_replica_lends_what_it_cannot_give_exactly(lender: ServerFacts) -> None:
    assert isinstance(decide_all(PURGING, [LEFT_BEHIND], WANTED, [lender])["dbread1"], Purged)


ON_A_DETOUR = replace(
    LEFT_BEHIND,
    marker=Marker(UUID, Phase.DETOUR, "0-1-80"),
    channels=(replace(CHANNEL, host="10.0.0.3", source_id="3"),),
)


def test_who_was_left_on_a_detour_comes_back_or_goes_on_with_it() -> None:
    arrived = replace(ON_A_DETOUR, variables={**BLANK.variables, "gtid_slave_pos": "0-1-97"})
    assert decide(PURGING, arrived, WANTED).action is Action.REPOINT
    found = decide_all(PURGING, [ON_A_DETOUR], WANTED, [LENDER])["dbread1"]
    assert isinstance(found, ReplicaPlan)
    assert found.action is Action.DETOUR
    with pytest.raises(Refused, match="follows"):
        decide(PURGING, replace(ON_A_DETOUR, marker=Marker("another", Phase.DETOUR)), WANTED)
