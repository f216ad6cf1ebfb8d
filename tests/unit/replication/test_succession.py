"""Who may become the primary: facts and verdicts in, a succession or a refusal out."""

from dataclasses import replace

import pytest

from replication.dryrun import describe_change
from replication.errors import Diverged, Refused
from replication.facts import Channel, Marker, Phase, ServerFacts
from replication.statements import Source
from replication.states import State, Verdict
from replication.succession import Succession, plan
from tests.unit.replication.test_plan import CHANNEL, UUID, facts
from topology.servers import Vendor

VARIABLES = {
    "log_bin": "ON",
    "gtid_mode": "ON",
    "lower_case_table_names": "0",
    "log_slave_updates": "ON",
    "gtid_slave_pos": "0-1-9",
    "gtid_binlog_state": "0-1-9",
}
PRIMARY = replace(facts("dbwrite"), variables=VARIABLES | {"gtid_slave_pos": ""}, gtid="0-1-9")
HEIR = replace(facts("dbread1"), variables=VARIABLES, channels=(CHANNEL,), gtid="0-1-9")
OTHER = replace(HEIR, server=replace(HEIR.server, name="dbread2", host="10.0.0.3"), identity="dbread2")
HEALTHY = Verdict(State.HEALTHY, lag=0.0)
VERDICTS = {"dbread1": HEALTHY, "dbread2": HEALTHY}
AFTER = Channel("", "10.0.0.2", 3306, "2", "Yes", "Yes")


def decide(primary: ServerFacts = PRIMARY, heir: ServerFacts = HEIR, other: ServerFacts = OTHER) -> Succession:
    return plan(primary, [heir, other], VERDICTS, "dbread1", "10.0.0.2")


def with_variables(server: ServerFacts, **changed: str) -> ServerFacts:
    return replace(server, variables=dict(server.variables) | changed)


def test_a_healthy_replica_takes_over() -> None:
    found = decide()
    assert (found.new, found.followers, found.begun, found.done) == (HEIR, (PRIMARY, OTHER), False, False)


def test_without_a_name_the_first_takes_over_that_may() -> None:
    deaf = with_variables(HEIR, log_slave_updates="OFF")
    assert plan(PRIMARY, [deaf, OTHER], VERDICTS, "", "10.0.0.2").new is OTHER
    with pytest.raises(Refused, match="does not log what it applies"):
        plan(PRIMARY, [deaf, OTHER], VERDICTS, "dbread1", "10.0.0.2")


def test_of_several_the_one_that_is_least_behind_takes_over() -> None:
    verdicts = {"dbread1": replace(HEALTHY, lag=3.0), "dbread2": replace(HEALTHY, lag=0.5)}
    assert plan(PRIMARY, [HEIR, OTHER], verdicts, "", "10.0.0.2").new is OTHER


@pytest.mark.parametrize(
    ("heir", "other", "problem"),
    [
        (with_variables(HEIR, log_bin="OFF"), OTHER, "writes no binary log"),
        (replace(HEIR, version=(11, 8, 2)), OTHER, "is older than"),
        (HEIR, replace(OTHER, version=(10, 6, 2)), "is older than"),
        (replace(HEIR, vendor=Vendor.MYSQL), OTHER, "but"),
        (HEIR, with_variables(OTHER, gtid_slave_pos="0-1-3"), "is not in the binary log of"),
        (HEIR, with_variables(OTHER, lower_case_table_names="1"), "lower_case_table_names"),
    ],
)
def test_who_cannot_lead_the_others_is_refused(heir: ServerFacts, other: ServerFacts, problem: str) -> None:
    with pytest.raises(Refused, match=problem):
        decide(heir=replace(heir, purged="0-1-5"), other=other)


@pytest.mark.parametrize("name", ["dbread1", "dbread2"])
@pytest.mark.parametrize("state", [state for state in State if state is not State.HEALTHY])
def test_all_replicas_have_to_be_healthy(name: str, state: State) -> None:
    with pytest.raises(Diverged if state is State.AHEAD else Refused, match=f"is {state}: why"):
        plan(PRIMARY, [HEIR, OTHER], VERDICTS | {name: Verdict(state, "why", "mend it")}, "dbread1", "10.0.0.2")


def test_transactions_of_its_own_are_seen_also_where_positions_do_not_tell() -> None:
    with pytest.raises(Diverged, match="has transactions that"):
        decide(heir=with_variables(HEIR, gtid_binlog_state="0-2-7,0-1-9"))
    mysql = {name: replace(each, vendor=Vendor.MYSQL) for name, each in (("old", PRIMARY), ("new", HEIR))}
    old = replace(mysql["old"], gtid=f"{UUID}:1-9", identity=UUID, version=(8, 4, 1))
    new = replace(mysql["new"], gtid=f"{UUID}:1-9,other:1", version=(8, 4, 1))
    with pytest.raises(Diverged, match="has transactions that"):
        plan(old, [new], VERDICTS, "", "10.0.0.2")


def test_a_replica_of_another_primary_has_no_successor() -> None:
    with pytest.raises(Refused, match="is itself a replica"):
        decide(primary=replace(PRIMARY, channels=(Channel("", "10.9.9.9", 3306, "9", "Yes", "Yes"),)))


def test_a_loopback_address_does_for_nobody_else() -> None:
    with pytest.raises(Refused, match="--target-address"):
        plan(PRIMARY, [HEIR, OTHER], VERDICTS, "dbread1", "127.0.0.1")


CLOSED = replace(PRIMARY, marker=Marker("dbread1", Phase.DONE, "0-1-9"))
ALONE = replace(HEIR, channels=())


def test_a_change_that_was_broken_off_is_gone_on_with() -> None:
    found = decide(primary=CLOSED, heir=ALONE)
    assert (found.begun, found.done, found.attached) == (True, False, frozenset())
    found = decide(primary=CLOSED, heir=ALONE, other=replace(OTHER, channels=(AFTER,)))
    assert (found.done, found.attached) == (False, frozenset({"dbread2"}))
    found = decide(replace(CLOSED, channels=(AFTER,)), ALONE, replace(OTHER, channels=(AFTER,)))
    assert found.done


def test_a_change_that_was_broken_off_before_the_point_of_no_return_begins_anew() -> None:
    assert not decide(primary=CLOSED).begun


def test_who_is_taking_over_is_not_succeeded_before_he_has() -> None:
    with pytest.raises(Refused, match="is taking over"):
        plan(CLOSED, [ALONE, OTHER], VERDICTS, "dbread2", "10.0.0.2")


def test_writes_to_the_old_primary_since_are_not_lost_in_silence() -> None:
    with pytest.raises(Diverged, match="which takes over, lacks"):
        decide(primary=replace(CLOSED, gtid="0-1-10"), heir=ALONE)


@pytest.mark.parametrize("vendor", list(Vendor))
def test_the_steps_are_shown_in_order_without_a_password(vendor: Vendor) -> None:
    old, new, other = (replace(each, vendor=vendor) for each in (PRIMARY, HEIR, OTHER))
    source = Source("10.0.0.2", 3306, "repl", "secret")
    lines = [f"{server}: {line}" for server, line in describe_change(Succession(old, new, (other,)), source, 10)]
    shown = "\n".join(lines)
    assert "secret" not in shown
    order = ("wait up to 10 s", "read_only = 1", "wait until it has all", "read_only = 0", "10.0.0.2", "wake up")
    assert sorted(order, key=shown.index) == list(order)
    assert any(line.startswith("dbread2: ") and "10.0.0.2" in line for line in lines)
