"""Every command by every kind of reply: the scripts that are played to a server and through the proxy.

`TABLE` has a row for each command, and in it a script for each kind of reply that the command can get. `CONVERSATIONS`
are longer: what one command leaves behind for the next ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from proxy.wire import constants as c
from proxy.wire.commands import REPLIES
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from tests.integration.protocol_schema import ORDINARY, SCHEMA
from tests.support.recorder import Recorder, Script
from tests.support.wireclient import Login, Value, query, statement_command
from topology.servers import Vendor

LONG, DOUBLE, VAR_STRING = 3, 5, 253
READ_ONLY_CURSOR: Final = 1
# Flags of a COM_STMT_BULK_EXECUTE.
_UNIT_RESULTS: Final = 64
_WITH_TYPES: Final = 128
# COM_CHANGE_USER, and what turns a connection into one between servers: dumps, COM_CLONE and group replication, after
# whose error MySQL closes.
_NOT_TRIED: Final = (0x11, 0x12, 0x15, 0x1E, c.COM_CLONE, 0x21)
NUMBER_IN_ROWS = "SELECT id, EXP(id * 300) AS large FROM item ORDER BY id"


@dataclass(frozen=True)
class Only:
    """A script for the servers of one vendor."""

    vendor: Vendor
    script: Script


@dataclass(frozen=True)
class Dialect:
    """What a client asks for beyond the usual; a server that lacks it is spoken to without."""

    name: str
    capabilities: int

    def __str__(self) -> str:
        return self.name


DIALECTS: Final = (
    Dialect("eof", 0),
    Dialect("deprecate-eof", c.CLIENT_DEPRECATE_EOF),
    Dialect("eof-track", c.CLIENT_SESSION_TRACK),
    Dialect("deprecate-eof-track", c.CLIENT_DEPRECATE_EOF | c.CLIENT_SESSION_TRACK),
    Dialect("attributes", c.CLIENT_QUERY_ATTRIBUTES | c.CLIENT_OPTIONAL_RESULTSET_METADATA),
    Dialect("extended", c.MARIADB_CLIENT_PROGRESS | c.MARIADB_CLIENT_EXTENDED_METADATA | c.CLIENT_DEPRECATE_EOF),
    Dialect(
        "files and bulk",
        c.CLIENT_LOCAL_FILES | c.MARIADB_CLIENT_STMT_BULK_OPERATIONS | c.MARIADB_CLIENT_BULK_UNIT_RESULTS,
    ),
)


def long(number: int) -> Value:
    """An INT as a parameter."""
    return LONG, number.to_bytes(4, "little", signed=True)


def string(value: bytes) -> Value:
    """A short string as a parameter."""
    return VAR_STRING, bytes((len(value),)) + value


NULL: Final[Value] = (VAR_STRING, None)


# --- how scripts are made ---------------------------------------------------------------------------------------------


def texts(*texts: str | bytes) -> Script:
    """Each text as a COM_QUERY."""

    def script(talk: Recorder) -> None:
        for text in texts:
            talk.query(text)

    return script


def commands(code: int, *bodies: bytes, reply: Reply = Reply.RESULT) -> Script:
    """The same command with each of these bodies, and whether the connection lives on."""

    def script(talk: Recorder) -> None:
        for body in bodies or (b"",):
            talk.command(bytes((code,)) + body, reply)
        talk.query("DO 1")

    return script


def prepares(*texts: str) -> Script:
    """Each text prepared."""

    def script(talk: Recorder) -> None:
        for text in texts:
            talk.prepare(text)
        talk.query("DO 1")

    return script


def executes(text: str, *rounds: list[Value], cursor: int = 0) -> Script:
    """The text prepared once, and executed with each list of values."""

    def script(talk: Recorder) -> None:
        number = talk.prepare(text)
        for values in rounds or ([],):
            talk.execute(number, values, cursor=cursor)
        talk.close(number)
        talk.query("DO 1")

    return script


def opened(text: str, then: Callable[[Recorder, int], object], *values: Value) -> Script:
    """A cursor opened for the text, and what is done with it."""

    def script(talk: Recorder) -> None:
        number = talk.prepare(text)
        talk.execute(number, values, cursor=READ_ONLY_CURSOR)
        then(talk, number)
        talk.query("DO 1")

    return script


def undone(*texts_between: str) -> Script:
    """Each text as a COM_QUERY, in a transaction that is rolled back."""
    return texts("ALTER TABLE noted AUTO_INCREMENT = 1", "BEGIN", *texts_between, "ROLLBACK")


# --- the longer ones --------------------------------------------------------------------------------------------------


def _written_in_binary(talk: Recorder) -> None:
    talk.query("TRUNCATE TABLE noted")
    talk.query("BEGIN")
    number = talk.prepare("INSERT INTO noted (note) VALUES (?), (?)")
    talk.execute(number, [string(b"a"), string(b"b")])
    talk.execute(number, [string(b"c"), NULL], types=False)
    talk.execute(number, [string(b"a"), string(b"d")])
    talk.query("SELECT * FROM noted")
    talk.query("ROLLBACK")


def _executed_again(talk: Recorder) -> None:
    number = talk.prepare("SELECT id, value, ? AS a, ? AS b, ? AS c FROM item WHERE id < ? ORDER BY id")
    values = [long(-7), string(b"abc"), NULL, long(4)]
    for types in (True, False, False, False):
        talk.execute(number, values, types=types)
    talk.reset(number)
    talk.execute(number, [(DOUBLE, bytes(8)), long(0), string(b""), string(b"3")])
    talk.close(number)
    talk.execute(number, values)


def _out_parameters(talk: Recorder) -> None:
    number = talk.prepare("CALL answers(?, ?, ?)")
    for value in (3, 4):
        talk.execute(number, [long(value), NULL, string(b"hi")])


def _no_such_statement(talk: Recorder) -> None:
    talk.execute(77)
    talk.reset(77)
    talk.fetch(77, 5)
    talk.close(77)
    talk.long_data(77, 0, b"data")
    talk.query("SELECT 1")


def _fetched_to_the_end(talk: Recorder, number: int) -> None:
    for count in (2, 2, 9, 9):
        talk.fetch(number, count)


def _fetched_nothing(talk: Recorder, number: int) -> None:
    talk.fetch(number, 0)
    talk.fetch(number, 5)


def _fetched_without_cursor(talk: Recorder) -> None:
    number = talk.prepare("SELECT id FROM item")
    talk.fetch(number, 1)
    talk.execute(number)
    talk.fetch(number, 1)
    talk.query("DO 1")


def _fetched_after_reset(talk: Recorder, number: int) -> None:
    talk.fetch(number, 1)
    talk.reset(number)
    talk.fetch(number, 1)


def _fetched_into_an_error(talk: Recorder, number: int) -> None:
    for _ in range(4):
        talk.fetch(number, 1)


def _long_data(talk: Recorder) -> None:
    number = talk.prepare("SELECT LENGTH(?), CRC32(?)")
    for _ in range(2):
        for piece in (b"x" * 1000, b"y" * 70000):
            talk.long_data(number, 0, piece)
        talk.execute(number, [(VAR_STRING, b""), string(b"abc")])
    talk.long_data(number, 0, b"forgotten")
    talk.reset(number)
    talk.execute(number, [string(b"ab"), string(b"abc")])


def _long_data_for_no_parameter(talk: Recorder) -> None:
    number = talk.prepare("SELECT LENGTH(?)")
    talk.long_data(number, 9, b"data")
    talk.execute(number, [string(b"ab")])
    talk.reset(number)
    talk.execute(number, [string(b"ab")])


def _quits(talk: Recorder) -> None:
    talk.command(bytes((c.COM_QUIT,)), Reply.NONE)
    talk.end()


def _unknown(talk: Recorder) -> None:
    for code in range(256):
        if code not in REPLIES and code not in _NOT_TRIED:
            talk.command(bytes((code,)) + b"rest")
    talk.query("SELECT 1")


def _too_short(talk: Recorder) -> None:
    number = talk.prepare("SELECT id FROM item WHERE id = ?")
    body = number.to_bytes(4, "little")
    for length in range(5):
        talk.command(bytes((c.COM_STMT_EXECUTE,)) + (body + bytes(9))[: 2 * length])
    talk.command(bytes((c.COM_STMT_EXECUTE,)) + body + b"\0\1\0\0\0\0\1\3")
    talk.execute(number, [long(1)])


def _bulk_rows(talk: Recorder) -> None:
    """With and without a result for each row, where that was agreed on; the second row is a NULL, the last a double."""
    talk.query("TRUNCATE TABLE noted")
    number = talk.prepare("INSERT INTO noted (note) VALUES (?)")
    rows = b"\0\1a" + b"\1" + b"\0\1b"
    for flags in (_WITH_TYPES, _WITH_TYPES | _UNIT_RESULTS):
        talk.command(statement_command(c.COM_STMT_BULK_EXECUTE, number, flags.to_bytes(2, "little") + b"\xfd\0" + rows))
    other = b"\0\1c" + b"\0\1d"
    for flags in (0, _UNIT_RESULTS):
        talk.command(statement_command(c.COM_STMT_BULK_EXECUTE, number, flags.to_bytes(2, "little") + other))
    talk.query("SELECT COUNT(*) FROM noted")
    talk.query("TRUNCATE TABLE noted")


def _local_file(talk: Recorder) -> None:
    """Asked for where the client offers files, and refused where it does not."""
    talk.query("TRUNCATE TABLE noted")
    load = "LOAD DATA LOCAL INFILE '/no/such/file' INTO TABLE noted (note)"
    for pieces in ((b"one\ntwo\n", b"three\n"), (), (b"far too long\n",)):
        talk.query(load)
        if talk.client.file_wanted:
            talk.file(*pieces)
    talk.query(f"SELECT 1; {load}; SELECT COUNT(*) FROM noted")
    if talk.client.file_wanted:
        talk.file(b"four\n")
    talk.query("SELECT * FROM noted ORDER BY id")
    talk.query("TRUNCATE TABLE noted")


def _behind_a_local_file(talk: Recorder) -> None:
    """Commands that do not wait for the server to have loaded the file."""
    talk.query("TRUNCATE TABLE noted")
    load = "LOAD DATA LOCAL INFILE '/no/such/file' INTO TABLE noted (note)"
    two = b"".join(frame(talk.client.payload(query(sql)), 0) for sql in ("SELECT COUNT(*) FROM noted", "DO 1"))
    for pieces in ((b"one\ntwo\n",), (), (b"far too long\n",)):
        talk.query(load)
        if talk.client.file_wanted:
            talk.file(*pieces, behind=two)
            talk.behind("SELECT behind it")
            talk.behind("DO behind that")
    talk.query("TRUNCATE TABLE noted")


def _changes_user(talk: Recorder) -> None:
    number = talk.prepare("SELECT id FROM item")
    talk.query("SET @a = 1, SESSION sql_select_limit = 1")
    talk.change_user(ORDINARY)
    talk.query("SELECT CURRENT_USER(), DATABASE(), @a")
    talk.query("SELECT id FROM item ORDER BY id")
    talk.execute(number)
    talk.query("DELETE FROM item")
    talk.change_user(Login(ORDINARY.user, ORDINARY.password))
    talk.query("SELECT id FROM item")
    talk.query("SELECT DATABASE()")


def _kills_itself(talk: Recorder) -> None:
    number = talk.client.connection_id
    talk.command(query(f"KILL QUERY {number}"), label="KILL QUERY itself")
    talk.query("SELECT 'alive'")
    talk.command(query(f"KILL {number}"), label="KILL itself")
    talk.end()


def _kills_itself_by_command(talk: Recorder) -> None:
    talk.command(bytes((c.COM_PROCESS_KILL,)) + talk.client.connection_id.to_bytes(4, "little"), label="kills itself")
    talk.end()


def _bulk_without_its_capability(talk: Recorder) -> None:
    talk.query("TRUNCATE TABLE noted")
    number = talk.prepare("INSERT INTO noted (note) VALUES (?)")
    talk.command(statement_command(c.COM_STMT_BULK_EXECUTE, number, b"\x80\0\3\0\0\1\0\0\0"))
    talk.command(bytes((c.COM_STMT_BULK_EXECUTE,)) + b"\1\0\0\0")
    talk.query("SELECT 1")


def _refused_dump(code: int, body: bytes) -> Script:
    def script(talk: Recorder) -> None:
        talk.command(bytes((code,)) + body, Reply.ROWS)
        talk.end()

    return script


def _last_prepared(talk: Recorder) -> None:
    last = 0xFFFFFFFF
    talk.execute(last)
    talk.prepare("SELECT 7")
    talk.prepare("SELECT ?, id FROM item ORDER BY id")
    talk.long_data(last, 0, b"abc")
    talk.execute(last, [string(b"")])
    talk.execute(last, [string(b"x")], cursor=READ_ONLY_CURSOR)
    talk.fetch(last, 1)
    talk.reset(last)
    talk.fetch(last, 1)
    talk.close(last)
    talk.execute(last, [string(b"x")])
    talk.prepare("SELECT 8")
    talk.query("PREPARE s FROM 'SELECT 9'")
    talk.execute(last)
    talk.prepare("SELEC")
    talk.execute(last)
    talk.prepare("SELECT 10")
    talk.command(bytes((c.COM_RESET_CONNECTION,)))
    talk.execute(last)


def _default_schemas(talk: Recorder) -> None:
    for name in ("no_such_schema", "information_schema", SCHEMA):
        talk.command(bytes((c.COM_INIT_DB,)) + name.encode())
        # The OK to a COM_INIT_DB repeats the warning count of what this connection ran before.
        talk.query("DO 1")
        talk.query("SELECT DATABASE()")
    talk.query("USE no_such_schema")
    talk.query("SELECT DATABASE()")


def _options(talk: Recorder) -> None:
    for option in (b"\1\0", b"\0\0", b"\7\0"):
        # MySQL's answer repeats the warning count of what this connection ran before.
        talk.query("DO 1")
        talk.command(bytes((c.COM_SET_OPTION,)) + option)
        talk.query("SELECT 1; SELECT 2")
        talk.query("SELECT 3")


def _resets(talk: Recorder) -> None:
    number = talk.prepare("SELECT id FROM item WHERE id = ?")
    talk.query("SET @a = 5, SESSION sql_select_limit = 1")
    talk.query("BEGIN")
    talk.query("SELECT id, @a FROM item")
    talk.command(bytes((c.COM_RESET_CONNECTION,)))
    talk.query("SELECT id, @a FROM item")
    talk.query("SELECT id, @a FROM item")
    talk.query("SELECT DATABASE()")
    talk.execute(number, [long(1)])
    talk.query("DO 1")
    talk.command(bytes((c.COM_PING,)))


def _cursors_and_other_commands(talk: Recorder) -> None:
    number = talk.prepare("SELECT id, value FROM item WHERE id > ? ORDER BY id")
    for _ in range(3):
        talk.execute(number, [long(0)], cursor=READ_ONLY_CURSOR)
        talk.fetch(number, 2)
        talk.query("SELECT 'between'")
        _fetched_to_the_end(talk, number)
    talk.execute(number, [long(0)], cursor=READ_ONLY_CURSOR)
    talk.execute(number, [long(1)], cursor=READ_ONLY_CURSOR)
    talk.fetch(number, 1)


def _executed_over_an_open_cursor(talk: Recorder, number: int) -> None:
    talk.fetch(number, 1)
    talk.execute(number)
    talk.fetch(number, 1)


def _transactions(talk: Recorder) -> None:
    for sql in (
        "START TRANSACTION",
        "INSERT INTO item (id, value) VALUES (1000, 'x')",
        "SELECT id FROM item WHERE id = 1000",
        "ROLLBACK",
        "SELECT id FROM item WHERE id = 1000",
        "SET autocommit = 0",
        "SELECT id FROM item WHERE id = 2",
        "COMMIT",
        "SET autocommit = 1",
        "START TRANSACTION READ ONLY",
        "SELECT id FROM item WHERE id = 2",
        "DELETE FROM item",
        "COMMIT",
        "SAVEPOINT a",
        "ROLLBACK TO a",
    ):
        talk.query(sql)


def _settings(talk: Recorder) -> None:
    for sql in (
        "SET NAMES latin1",
        "SELECT 'é', @@character_set_results, id FROM item WHERE id = 1",
        "SET NAMES utf8mb4",
        "SET time_zone = '+05:00', sql_select_limit = 2",
        "SELECT id, @@time_zone FROM item ORDER BY id",
        "SET sql_select_limit = DEFAULT",
        "SET @a = 1, @b = 'x'",
        "SELECT @a, @b, id FROM item WHERE id = @a",
        "SET SESSION no_such_variable = 1",
        "SET sql_mode = 'ANSI_QUOTES'",
        "SELECT \"id\", 'x' FROM item LIMIT 1",
        "SELECT FOUND_ROWS(), ROW_COUNT(), LAST_INSERT_ID()",
    ):
        talk.query(sql)


def _temporary_tables(talk: Recorder) -> None:
    for sql in (
        "CREATE TEMPORARY TABLE mine (a INT) SELECT 1 AS a",
        "SELECT * FROM mine",
        "INSERT INTO mine VALUES (2), (3)",
        "SELECT COUNT(*) FROM mine",
        "DROP TEMPORARY TABLE mine",
        "SELECT * FROM mine",
    ):
        talk.query(sql)


def _prepared_in_text(talk: Recorder) -> None:
    for sql in (
        "PREPARE p FROM 'SELECT id FROM item WHERE id = ?'",
        "SET @x = 3",
        "EXECUTE p USING @x",
        "EXECUTE p",
        "DEALLOCATE PREPARE p",
        "EXECUTE p USING @x",
    ):
        talk.query(sql)


def _diagnostics(talk: Recorder) -> None:
    for sql in (
        "SELECT 1/0, CAST('x' AS SIGNED) FROM item",
        "SHOW WARNINGS",
        "SHOW COUNT(*) WARNINGS",
        "SELECT * FROM no_such_table",
        "SHOW ERRORS",
        "SHOW WARNINGS LIMIT 0",
        "SELECT SQL_CALC_FOUND_ROWS id FROM item LIMIT 2",
        "SELECT FOUND_ROWS()",
    ):
        talk.query(sql)


# --- the table --------------------------------------------------------------------------------------------------------

ERRORS: Final = texts(
    "SELECT * FROM no_such_table",
    "SELEC 1",
    "",
    "-- nothing",
    ";",
    "INSERT INTO item (id) VALUES (1)",
    "SELECT no_such_column FROM item",
    "SELECT no_such_function(1)",
    "SELECT (SELECT id FROM item)",
    "SELECT @@no_such_variable",
    "SELECT * FROM no_such_schema.item",
    "CALL no_such_procedure()",
    "KILL 99999999",
    b"SELECT '\xff\xfe', 0x00, '\0'",
)

TABLE: Final[Mapping[str, Mapping[str, Script | Only]]] = {
    "COM_QUIT": {"none": _quits},
    "COM_INIT_DB": {
        "ok": commands(c.COM_INIT_DB, b"information_schema", SCHEMA.encode()),
        "error": commands(c.COM_INIT_DB, b"no_such_schema", b"", b"x" * 300, b"\xff"),
    },
    "COM_QUERY": {
        "ok": texts("DO 1", "SET @a = 1", "BEGIN", "COMMIT", f"USE {SCHEMA}", "FLUSH TABLES"),
        "ok, rows changed": undone(
            "INSERT INTO noted (note) VALUES ('a'), ('b'), ('c')",
            "UPDATE noted SET note = 'd' WHERE note = 'c'",
            "UPDATE noted SET note = 'd' WHERE note = 'd'",
            "REPLACE INTO noted (note) VALUES ('a'), ('x')",
            "INSERT INTO noted (note) VALUES ('a') ON DUPLICATE KEY UPDATE one = one + 1, id = LAST_INSERT_ID(id)",
            "DELETE FROM noted",
        ),
        "ok, warnings": undone(
            "INSERT IGNORE INTO noted (note) VALUES ('too long'), ('too long')",
            "SHOW WARNINGS",
            "DROP TEMPORARY TABLE IF EXISTS no_such_table",
            "SHOW WARNINGS",
        ),
        "ok, session state": texts(
            "USE information_schema",
            f"USE {SCHEMA}",
            "SET NAMES latin1",
            "SET time_zone = '+01:00', autocommit = 0",
            "SELECT id FROM item WHERE id = 1",
            "COMMIT",
            "SET SESSION session_track_system_variables = 'autocommit,sql_mode,sql_select_limit', "
            "session_track_state_change = 1",
            "SET sql_mode = '', sql_select_limit = 3",
            "CREATE TEMPORARY TABLE mine (a INT)",
            "DROP TEMPORARY TABLE mine",
            "SET autocommit = 1, @a = 1",
        ),
        "local file": _local_file,
        "local file, and commands behind it": _behind_a_local_file,
        "killed": _kills_itself,
        "error": ERRORS,
        "no rows": texts("SELECT * FROM item WHERE id < 0", "SELECT * FROM wide WHERE id = 0", "SELECT 1 LIMIT 0"),
        "rows": texts(
            "SELECT * FROM wide ORDER BY id",
            "SELECT id, value FROM item ORDER BY id",
            "SELECT 1 AS a UNION SELECT NULL UNION SELECT ''",
            "SHOW COLUMNS FROM item",
            "EXPLAIN SELECT 1",
            "SELECT REPEAT('x', 250), REPEAT('x', 251), REPEAT('x', 65535), REPEAT('x', 65536)",
        ),
        "rows, many": texts(
            "SELECT a.id, b.id, c.id, d.id, 'row' FROM item a, item b, item c, item d ORDER BY 1, 2, 3, 4"
        ),
        "columns, many": texts("SELECT " + ", ".join(f"id AS c{number}" for number in range(300)) + " FROM item"),
        "rows, warnings": texts("SELECT 1/0, CAST('x' AS SIGNED) FROM item", "SHOW WARNINGS"),
        "rows, then an error": texts(NUMBER_IN_ROWS, "SELECT 1"),
        "several results": texts(
            "SELECT 1; SELECT id FROM item ORDER BY id; DO 1; SELECT 2",
            "DO 1; DO 2",
            "CALL several()",
            "SET @b = 0, @c = 'c'; CALL answers(1, @b, @c); SELECT @b, @c",
        ),
        "several results, then an error": texts(
            "SELECT 1; SELECT * FROM no_such_table; SELECT 2",
            "CALL breaks()",
            f"SELECT 1; {NUMBER_IN_ROWS}",
            "SELECT 1; SELEC 2",
        ),
    },
    "COM_FIELD_LIST": {
        "rows": commands(c.COM_FIELD_LIST, b"item\0%", b"wide\0t%", reply=Reply.ROWS),
        "no rows": commands(c.COM_FIELD_LIST, b"item\0nothing", reply=Reply.ROWS),
        "error": commands(c.COM_FIELD_LIST, b"no_such_table\0%", b"", reply=Reply.ROWS),
    },
    # A level that no server has; one that it has would stop it.
    "COM_SHUTDOWN": {"error": commands(c.COM_SHUTDOWN, b"\1")},
    "COM_REFRESH": {"ok": commands(c.COM_REFRESH, b"\0")},
    "COM_STATISTICS": {"single": commands(c.COM_STATISTICS, reply=Reply.SINGLE)},
    "COM_PROCESS_INFO": {"rows": commands(c.COM_PROCESS_INFO)},
    "COM_PROCESS_KILL": {
        "error": commands(c.COM_PROCESS_KILL, (99999999).to_bytes(4, "little")),
        # MySQL does not close before the next command.
        "killed": Only(Vendor.MARIADB, _kills_itself_by_command),
    },
    # MySQL's dialogue depends on what either side remembers of the password.
    "COM_CHANGE_USER": {
        "ok": Only(Vendor.MARIADB, _changes_user),
    },
    "COM_DEBUG": {"end": commands(c.COM_DEBUG)},
    "COM_PING": {"ok": commands(c.COM_PING, b"", b"and more")},
    "COM_SET_OPTION": {
        "end": commands(c.COM_SET_OPTION, b"\1\0", b"\0\0"),
        "error": commands(c.COM_SET_OPTION, b"\7\0", b""),
    },
    "COM_RESET_CONNECTION": {"ok": commands(c.COM_RESET_CONNECTION, b"", b"")},
    "COM_STMT_PREPARE": {
        "nothing": prepares("DO 1", "BEGIN", "SET @a = 1"),
        "parameters": prepares("DO ?", "INSERT INTO noted (id, note) VALUES (?, ?)"),
        "columns": prepares("SELECT id, value FROM item", "SHOW TABLES"),
        "both": prepares("SELECT *, ? FROM wide WHERE id = ?", "SELECT " + ", ".join("?" * 300)),
        "error": prepares("SELECT FROM", "SELECT * FROM no_such_table WHERE id = ?", "", "SELECT 1; SELECT 2", "DO 1;"),
    },
    "COM_STMT_EXECUTE": {
        "ok": executes("DO ?", [long(1)], [NULL]),
        "ok, rows changed": _written_in_binary,
        "error": executes("SELECT (SELECT id FROM item WHERE id > ?)", [long(0)], [long(4)]),
        "no such statement": _no_such_statement,
        "no rows": executes("SELECT * FROM wide WHERE id = ?", [long(-1)]),
        "rows": executes("SELECT * FROM wide WHERE id >= ? ORDER BY id", [long(0)], [string(b"2")], [NULL]),
        "rows, again": _executed_again,
        "rows, warnings": executes("SELECT CAST(? AS SIGNED)", [string(b"x")], [string(b"1")]),
        "rows, then an error": executes(NUMBER_IN_ROWS),
        "several results": executes("CALL several()", [], []),
        "several results, then an error": executes("CALL breaks()"),
        "OUT parameters": _out_parameters,
        "cursor": executes("SELECT id FROM item WHERE id > ?", [long(0)], [long(9)], cursor=READ_ONLY_CURSOR),
        "cursor, no result": executes("DO 1", cursor=READ_ONLY_CURSOR),
        # In this case MySQL 9.7 sends an OK for rows, which no client understands, also after a COM_STMT_RESET.
        "no cursor any more": Only(
            Vendor.MARIADB, opened("SELECT id FROM item ORDER BY id", _executed_over_an_open_cursor)
        ),
        "cursor, several results": executes("CALL several()", cursor=READ_ONLY_CURSOR),
        "malformed": _too_short,
        "last prepared": _last_prepared,
    },
    "COM_REGISTER_SLAVE": {
        "ok": commands(c.COM_REGISTER_SLAVE, (4711).to_bytes(4, "little") + bytes(3) + b"\xea\x0c" + bytes(8)),
        "error": commands(c.COM_REGISTER_SLAVE, b"\1"),
    },
    "COM_BINLOG_DUMP": {"error": _refused_dump(c.COM_BINLOG_DUMP, b"\4\0\0\0\1\0\x67\x12\0\0no-such-file.000001")},
    "COM_BINLOG_DUMP_GTID": {"unknown": Only(Vendor.MARIADB, commands(c.COM_BINLOG_DUMP_GTID, b"\0"))},
    "COM_STMT_BULK_EXECUTE": {
        "error": _bulk_without_its_capability,
        "ok, units, error": Only(Vendor.MARIADB, _bulk_rows),
    },
    "COM_STMT_FETCH": {
        "rows": opened("SELECT * FROM item WHERE id > ? ORDER BY id", _fetched_to_the_end, long(0)),
        "rows, of every type": opened("SELECT * FROM wide ORDER BY id", _fetched_to_the_end),
        "no rows": opened("SELECT * FROM item WHERE id > ?", _fetched_nothing, long(99)),
        "rows, then an error": opened(NUMBER_IN_ROWS, _fetched_into_an_error),
        "no cursor": _fetched_without_cursor,
        "reset cursor": opened("SELECT * FROM item ORDER BY id", _fetched_after_reset),
    },
    "COM_STMT_RESET": {"ok": opened("SELECT id FROM item", lambda talk, number: talk.reset(number))},
    "COM_STMT_CLOSE": {"none": opened("SELECT id FROM item", lambda talk, number: talk.close(number))},
    "COM_STMT_SEND_LONG_DATA": {"none": _long_data, "error later": _long_data_for_no_parameter},
    "unknown": {"error": _unknown},
}

CONVERSATIONS: Final[tuple[Script, ...]] = (
    _default_schemas,
    _options,
    _resets,
    _cursors_and_other_commands,
    _transactions,
    _settings,
    _temporary_tables,
    _prepared_in_text,
    _diagnostics,
)
