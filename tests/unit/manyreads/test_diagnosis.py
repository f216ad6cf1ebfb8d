"""What is found wrong with a deployment."""

from dataclasses import replace
from typing import Any

import pytest

from manyreads.diagnosis import Level, diagnosed
from manyreads.examination import Account, Examined, days_until
from topology.servers import Observation, ReplicaStatus, Role, Server, Vendor
from topology.settings import load_settings

VARIABLES = {
    "server_id": "1",
    "read_only": "OFF",
    "log_bin": "ON",
    "gtid_mode": "ON",
    "max_connections": "151",
    "max_allowed_packet": "1000",
    "sql_mode": "STRICT_TRANS_TABLES",
}
FOLLOWS = ReplicaStatus("uuid-1", io_running=True, sql_running=True, lag_seconds=0.0)
PRIMARY = Examined(
    Server("dbwrite", "10.0.0.1", 3306, Role.PRIMARY, "svc"),
    version="9.7.0",
    variables=VARIABLES,
    cipher="TLS_AES_256_GCM_SHA384",
    accounts=(Account("app", "%", "caching_sha2_password"),),
    observation=Observation(identity="uuid-1"),
)
REPLICA = replace(
    PRIMARY,
    server=Server("dbread1", "10.0.0.2", 3306, Role.REPLICA, "svc"),
    variables={**VARIABLES, "server_id": "2", "read_only": "ON"},
    observation=Observation(identity="uuid-2", replica=FOLLOWS),
    by_gtid=True,
)


def problems(primary: Examined = PRIMARY, replica: Examined = REPLICA, **settings: Any) -> dict[tuple[str, str], Level]:
    """What is not well, by server and check."""
    found = diagnosed([primary, replica], load_settings(None, {}, settings))
    assert all(one.remedy for one in found if one.level is not Level.OK)
    assert not any(one.remedy for one in found if one.level is Level.OK)
    return {(one.server, one.check): one.level for one in found if one.level is not Level.OK}


def told(replica: Examined, **variables: str) -> Examined:
    return replace(replica, variables={**replica.variables, **variables})


def test_transactions_that_were_made_on_a_replica_are_named_with_what_mends_them() -> None:
    one, other = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "4e11fa47-71ca-11e1-9e33-c80aa9429562"
    primary = replace(PRIMARY, observation=Observation(identity="uuid-1", history=f"{one}:1-90"))
    seen = Observation(identity="uuid-2", replica=FOLLOWS, history=f"{one}:1-80,{other}:1-2")
    assert problems(primary, replace(REPLICA, observation=seen)) == {("dbread1", "errant"): Level.WARNING}
    found = diagnosed([primary, replace(REPLICA, observation=seen)], load_settings(None, {}, {}))
    (told,) = (each for each in found if each.check == "errant")
    assert f"({other}:1-2)" in told.text
    assert f"SET gtid_next = '{other}:1-2'" in told.remedy


def test_a_good_deployment_is_well() -> None:
    assert problems() == {}


@pytest.mark.parametrize(
    ("primary", "check", "level"),
    [
        (replace(PRIMARY, error="cannot reach it"), "login", Level.ERROR),
        (replace(PRIMARY, ahead=-3.0, doubt=0.1), "clock", Level.WARNING),
        (told(PRIMARY, log_bin="OFF"), "gtid", Level.ERROR),
        (told(PRIMARY, gtid_mode="OFF_PERMISSIVE"), "gtid", Level.WARNING),
        (replace(PRIMARY, sees_accounts=False), "privileges", Level.ERROR),
        (replace(PRIMARY, sees_triggers=False), "privileges", Level.WARNING),
        (replace(PRIMARY, sees_replication=False), "privileges", Level.WARNING),
        (replace(PRIMARY, cipher=""), "tls", Level.WARNING),
        (replace(PRIMARY, certificate_days=29.0), "tls", Level.WARNING),
        (replace(PRIMARY, certificate_days=-1.0), "tls", Level.WARNING),
        (told(PRIMARY, read_only="ON"), "read_only", Level.ERROR),
        (replace(PRIMARY, by_gtid=True), "replication", Level.WARNING),
        (replace(PRIMARY, accounts=(Account("root", "localhost", "auth_socket"),)), "accounts", Level.WARNING),
    ],
)
def test_faults_of_the_primary(primary: Examined, check: str, level: Level) -> None:
    assert problems(primary) == {("dbwrite", check): level}


def test_all_that_the_account_may_not_is_told_at_once_as_grants() -> None:
    seen = Observation(identity="uuid-1", error="you need REPLICATION CLIENT")
    narrow = replace(PRIMARY, account="svc@10.%", sees_accounts=False, sees_triggers=False, observation=seen)
    found = diagnosed([narrow], load_settings(None, {}, {}))
    assert [one.remedy for one in found if one.check == "privileges"] == [
        "GRANT SELECT ON mysql.user TO 'svc'@'10.%'",
        "GRANT REPLICATION CLIENT ON *.* TO 'svc'@'10.%'",
        "GRANT TRIGGER ON *.* TO 'svc'@'10.%'",
    ]


def test_why_there_are_no_replicas_is_told() -> None:
    for untold, text in (("", "there are no replicas"), ("denied", "the primary does not tell its replicas: denied")):
        found = diagnosed([PRIMARY], load_settings(None, {}, {}), untold)
        assert [one.text for one in found if one.check == "servers"] == [text]


def test_connections_of_one_user_are_counted_too() -> None:
    few = told(PRIMARY, max_user_connections="20")
    found = {("dbwrite", "connections"): Level.WARNING}
    assert problems(few) == problems(few, server_connections_per_user=20) == {}
    assert problems(few, server_connections_per_user=21) == found
    assert problems(few, connection_sharing="session", max_connections=21) == found


def test_the_end_of_a_certificate_is_read_as_servers_write_it() -> None:
    assert days_until("Jan  2 00:00:00 1970 GMT", 0.0) == 1.0
    assert days_until("Jan 12 00:00:00 1970 GMT", 86400.0) == 10.0
    assert days_until("", 0.0) is None


def follows(**changed: Any) -> Examined:
    return replace(REPLICA, observation=Observation(replica=replace(FOLLOWS, **changed)))


@pytest.mark.parametrize(
    ("replica", "check", "level"),
    [
        (replace(REPLICA, error="denied"), "login", Level.ERROR),
        (replace(REPLICA, observation=Observation()), "replication", Level.ERROR),
        (follows(io_running=False), "replication", Level.ERROR),
        (follows(sql_running=False), "replication", Level.ERROR),
        (follows(source="uuid-9"), "replication", Level.ERROR),
        (follows(lag_seconds=99.0), "replication", Level.WARNING),
        (follows(lag_seconds=None), "replication", Level.WARNING),
        (replace(REPLICA, by_gtid=False), "gtid", Level.WARNING),
        (told(REPLICA, read_only="OFF"), "read_only", Level.WARNING),
        (told(REPLICA, sql_mode=""), "settings", Level.WARNING),
        (told(REPLICA, max_allowed_packet="999"), "settings", Level.WARNING),
        (replace(REPLICA, version="8.4.2"), "version", Level.WARNING),
        (replace(REPLICA, vendor=Vendor.MARIADB, version="5.5.5-10.11.6-MariaDB"), "version", Level.ERROR),
    ],
)
def test_faults_of_a_replica(replica: Examined, check: str, level: Level) -> None:
    assert problems(replica=replica)["dbread1", check] == level


def test_what_helps_who_is_not_let_in() -> None:
    found = diagnosed([replace(PRIMARY, error="x"), replace(REPLICA, error="x")], load_settings(None, {}, {}))
    primary, replica = (one.remedy for one in found if one.check == "login")
    assert ("startsync" in primary, "startsync" in replica) == (False, True)


def test_a_newer_replica_is_well_and_so_is_mariadbs_greeting() -> None:
    assert problems(replica=replace(REPLICA, version="9.8.0")) == {}
    older = told(replace(PRIMARY, vendor=Vendor.MARIADB, version="5.5.5-10.6.1-MariaDB"), gtid_strict_mode="ON")
    newer = told(replace(REPLICA, vendor=Vendor.MARIADB, version="10.11.1-MariaDB"), gtid_strict_mode="ON")
    assert problems(older, newer) == {}
    assert problems(told(older, gtid_strict_mode="OFF"), newer) == {("dbwrite", "gtid"): Level.WARNING}


def test_a_replica_that_does_not_tell_its_state_lacks_a_privilege() -> None:
    found = problems(replica=replace(REPLICA, observation=Observation(error="access denied")))
    assert found["dbread1", "privileges"] is Level.ERROR


def test_connections_are_compared_with_what_servers_take() -> None:
    expected = {("dbwrite", "connections"): Level.WARNING, ("dbread1", "connections"): Level.WARNING}
    assert problems(server_connections=200) == expected
    assert problems(server_connections=151) == {}
    assert problems(connection_sharing="session", max_connections=1000) == expected


def test_without_tls_it_is_well_where_it_is_set_so_and_on_this_machine() -> None:
    assert problems(replace(PRIMARY, cipher=""), server_tls="off") == {}
    here = replace(PRIMARY, cipher="", server=replace(PRIMARY.server, host="127.0.0.1"))
    assert problems(here) == {}


def test_servers_have_numbers_of_their_own() -> None:
    assert problems(replica=told(REPLICA, server_id="1")) == {("", "servers"): Level.ERROR}


def test_a_primary_alone_is_a_warning() -> None:
    (finding,) = [one for one in diagnosed([PRIMARY], load_settings(None, {}, {})) if one.level is not Level.OK]
    assert (finding.check, finding.level) == ("servers", Level.WARNING)
