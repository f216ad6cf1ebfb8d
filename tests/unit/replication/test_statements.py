"""The SQL of both vendors, and that no password is shown."""

import pytest

from replication.facts import Marker, Phase
from replication.statements import Source, Statement, account, dialect, name, text, write_marker
from topology.servers import Vendor

SOURCE = Source("db.example", 3306, "repl", "it's\\secret", tls=True)


def test_names_and_literals_are_quoted() -> None:
    assert name("a`b") == "`a``b`"
    assert text("it's \\ ü") == "'it''s \\\\ ü'"
    assert account("o'dd", "%") == "'o''dd'@'%'"


@pytest.mark.parametrize("vendor", list(Vendor))
def test_a_password_is_in_the_sql_but_is_not_shown(vendor: Vendor) -> None:
    words = dialect(vendor)
    statements = [*words.follow(SOURCE, "", has_binlog=True), *words.create_replicator("repl", SOURCE.password)]
    secret = [statement for statement in statements if "secret" in statement.sql]
    assert len(secret) == 3
    assert not any("secret" in f"{statement}{statement!s}" for statement in statements)
    assert "***" in str(secret[0])


def test_mariadb_follows_by_gtid_with_tls_said_explicitly() -> None:
    reset, position, change = dialect(Vendor.MARIADB).follow(SOURCE, "0-1-5", has_binlog=True)
    assert (reset.sql, position.sql) == ("RESET MASTER", "SET GLOBAL gtid_slave_pos = '0-1-5'")
    assert "MASTER_USE_GTID = slave_pos" in change.sql
    assert "MASTER_SSL = 1" in change.sql


def test_mariadb_without_a_binary_log_has_nothing_to_reset() -> None:
    assert len(dialect(Vendor.MARIADB).follow(SOURCE, "", has_binlog=False)) == 2


def test_mysql_has_an_older_spelling_of_each_renamed_statement() -> None:
    reset, purged, change = dialect(Vendor.MYSQL).follow(SOURCE, "u:1-5", has_binlog=True)
    assert (reset.sql, reset.older) == ("RESET BINARY LOGS AND GTIDS", "RESET MASTER")
    assert purged.sql == "SET GLOBAL gtid_purged = 'u:1-5'"
    assert "SOURCE_AUTO_POSITION = 1" in change.sql
    assert "MASTER_AUTO_POSITION = 1" in change.older
    assert "SOURCE" not in change.older.replace("db.example", "")


@pytest.mark.parametrize("vendor", list(Vendor))
def test_a_server_that_follows_nobody_has_nothing_to_forget(vendor: Vendor) -> None:
    assert dialect(vendor).forget_source([]) == []
    assert len(dialect(vendor).forget_source([""])) == 2


def test_the_marker_holds_identity_phase_and_position() -> None:
    last: Statement = write_marker(Marker("it's me", Phase.ATTACHING, "0-1-5"))[-1]
    assert "'it''s me', 'attaching', '0-1-5'" in last.sql


def test_mysqls_applier_stands_still_while_the_server_becomes_read_only() -> None:
    assert [each.sql for each in dialect(Vendor.MYSQL).pause()] == ["STOP REPLICA SQL_THREAD"]
    assert [each.sql for each in dialect(Vendor.MYSQL).resume()] == ["START REPLICA SQL_THREAD"]
    assert dialect(Vendor.MARIADB).pause() == dialect(Vendor.MARIADB).resume() == []


def test_a_replica_is_held_run_up_to_a_position_and_let_go() -> None:
    mariadb, mysql = dialect(Vendor.MARIADB), dialect(Vendor.MYSQL)
    assert mariadb.run_until("0-1-5") == [Statement("START SLAVE UNTIL master_gtid_pos = '0-1-5'")]
    assert [each.sql for each in mariadb.go_on()] == ["STOP SLAVE", "START SLAVE"]
    assert mysql.run_until("u:1-5") == [
        Statement(
            "START REPLICA SQL_THREAD UNTIL SQL_AFTER_GTIDS = 'u:1-5'",
            "START SLAVE SQL_THREAD UNTIL SQL_AFTER_GTIDS = 'u:1-5'",
        )
    ]
    assert [each.sql for each in mysql.go_on()] == ["STOP REPLICA SQL_THREAD", "START REPLICA"]


def test_what_was_received_is_thrown_away_before_a_source_is_set() -> None:
    """As far as the server can open it, the change would do so itself."""
    mariadb, mysql = dialect(Vendor.MARIADB).repoint(SOURCE), dialect(Vendor.MYSQL).repoint(SOURCE)
    assert [each.sql.split(" TO")[0] for each in mariadb] == [
        "STOP SLAVE",
        "RESET SLAVE",
        "CHANGE MASTER",
        "START SLAVE",
    ]
    change = "CHANGE REPLICATION SOURCE"
    assert [each.sql.split(" TO")[0] for each in mysql] == ["STOP REPLICA", "RESET REPLICA", change, "START REPLICA"]
    assert mysql[1].older == "RESET SLAVE"


def test_a_primary_becomes_a_replica_from_its_own_position_on() -> None:
    mariadb, mysql = dialect(Vendor.MARIADB), dialect(Vendor.MYSQL)
    position, *rest = mariadb.follow_on(SOURCE, "0-1-5")
    assert position.sql == "SET GLOBAL gtid_slave_pos = '0-1-5'"
    assert rest == mariadb.repoint(SOURCE)
    # What it has executed is its position.
    assert mysql.follow_on(SOURCE, "u:1-5") == mysql.repoint(SOURCE)


def test_administrators_are_kept_out_as_well() -> None:
    mariadb, mysql = dialect(Vendor.MARIADB), dialect(Vendor.MYSQL)
    assert [each.sql for each in mariadb.block_commits()] == ["BACKUP STAGE START", "BACKUP STAGE BLOCK_COMMIT"]
    assert [each.sql for each in mariadb.let_commit()] == ["BACKUP STAGE END"]
    assert mysql.read_only()[-1].sql == "SET PERSIST super_read_only = 1"
    assert mysql.accept_writes()[0].older == "SET GLOBAL super_read_only = 0"
