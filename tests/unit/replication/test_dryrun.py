"""What --dry-run prints."""

from dataclasses import replace

import pytest

from replication.actions import Action, Method, ReplicaPlan, Users
from replication.dryrun import describe
from replication.errors import Refused
from replication.statements import Source
from tests.unit.replication.test_plan import BLANK, DATA, PRIMARY

SOURCE = Source("10.0.0.1", 3306, "repl", "secret")


def lines(action: Action, method: Method = Method.AUTO) -> str:
    plan = ReplicaPlan(replace(BLANK, schemas=DATA), action, "because", 7)
    return "\n".join(f"{server}: {line}" for server, line in describe(PRIMARY, [plan], SOURCE, Users.COPY, method))


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("action", list(Action))
def test_a_password_is_never_shown(action: Action, method: Method) -> None:
    assert "secret" not in lines(action, method)
    assert "because" in lines(action, method)


def test_a_copy_says_what_is_lost_and_what_comes() -> None:
    shown = lines(Action.COPY)
    assert "losing:\n    schema app: 3 tables" in shown
    assert "dbread1: copy schema app: 3 tables" in shown
    assert "SET GLOBAL server_id = 7" in shown
    assert shown.index("RESET MASTER") < shown.index("CHANGE MASTER TO") < shown.index("START SLAVE")


def test_a_clone_says_what_is_lost_and_where_it_comes_from() -> None:
    shown = lines(Action.COPY, Method.CLONE)
    order = ("'copying'", "CLONE INSTANCE FROM 'root'@'10.0.0.1':3306", "losing:", "'attaching'", "CHANGE MASTER TO")
    assert sorted(order, key=shown.index) == list(order)


def test_what_is_written_anew_is_compared_first_and_the_position_set_last() -> None:
    shown = lines(Action.RENEW)
    assert "drop" not in shown
    order = (
        "STOP SLAVE",
        "compare all rows",
        "'copying'",
        "DELETE FROM",
        "'attaching'",
        "gtid_slave_pos",
        "START SLAVE",
    )
    assert sorted(order, key=shown.index) == list(order)


def test_a_detour_leads_to_another_replica_and_back() -> None:
    lender = replace(BLANK, server=replace(BLANK.server, name="dbread2", host="10.0.0.3"))
    plan = ReplicaPlan(BLANK, Action.DETOUR, "because", lender=lender)
    shown = "\n".join(line for _, line in describe(PRIMARY, [plan], SOURCE, Users.COPY, Method.AUTO))
    assert "secret" not in shown
    order = ("'detour'", "MASTER_HOST = '10.0.0.3'", "all that dbread2 has", "MASTER_HOST = '10.0.0.1'", "'done'")
    assert sorted(order, key=shown.index) == list(order)


def test_nothing_is_planned_for_a_refused_replica() -> None:
    assert list(describe(PRIMARY, [Refused("no")], SOURCE, Users.COPY, Method.AUTO)) == []
