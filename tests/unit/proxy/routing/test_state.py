"""The session's state: what each statement does to it."""

import pytest

from proxy.routing.settings import LOGIN
from proxy.routing.state import Baseline, Seen, SessionState
from proxy.routing.told import Fit
from proxy.sql.comments import ServerVersion
from proxy.sql.effects import SetVariable
from proxy.sql.meaning import DEFAULT_MEANING, Meaning
from tests.support.statements import MARIADB, MYSQL, classified
from topology.consistency import Level

AUTOCOMMIT, IN_TRANS, NO_BACKSLASH_ESCAPES = 2, 1, 0x200


class Session:
    """A state with one connection, which succeeds with all that it is given."""

    def __init__(self, schema: str = "app", baseline: Baseline | None = None) -> None:
        self.state = SessionState(schema, AUTOCOMMIT, baseline)
        self.seen = Seen()

    def run(self, *texts: str) -> "Session":
        for text in texts:
            self.state.apply(classified(text), text.encode(), self.seen)
        return self

    def fail(self, text: str, errno: int = 1146, begun: bool = False) -> "Session":
        self.state.failed(classified(text), errno, begun, self.seen)
        return self

    def replayed(self, version: int = 0) -> list[bytes]:
        packets = []
        while (missing := self.state.repeatable.missing(version)) is not None:
            packets.append(missing.packet[4:] or b"\x03" + missing.text.encode())
            version = missing.version
        return packets


# Statements, and why the session stays on the primary afterwards.
PINS = [
    (["SELECT 1"], ""),
    (["CREATE TEMPORARY TABLE t (a INT)"], "temp-table"),
    (["CREATE TEMPORARY TABLE t (a INT)", "DROP TEMPORARY TABLE t"], ""),
    (["CREATE TEMPORARY TABLE t (a INT)", "DROP TABLE IF EXISTS u, app.t"], ""),
    (["CREATE TEMPORARY TABLE t (a INT)", "USE b", "DROP TABLE t"], "temp-table"),
    (["CREATE TEMPORARY TABLE t (a INT)", "ALTER TABLE t RENAME u", "DROP TABLE t"], "temp-table"),
    (["CREATE TEMPORARY TABLE t (a INT)", "RENAME TABLE app.t TO u", "DROP TABLE t"], "temp-table"),
    (["CREATE TEMPORARY TABLE t (a INT); CREATE TEMPORARY TABLE u (a INT)", "DROP TABLE t"], "temp-table"),
    (["SELECT GET_LOCK('a', 1)"], "named-lock"),
    (["SELECT GET_LOCK('a', 1)", "SELECT RELEASE_LOCK('A')"], ""),
    (["SELECT GET_LOCK('a', 1)", "SELECT GET_LOCK('a', 1)", "DO RELEASE_LOCK('a')"], "named-lock"),
    (["SELECT GET_LOCK('a', 1)", "SELECT RELEASE_LOCK('b')"], "named-lock"),
    (["SELECT GET_LOCK('a', 1)", "SELECT RELEASE_LOCK('a') FROM t"], "named-lock"),
    (["SELECT GET_LOCK('a', 1), GET_LOCK('b', 1)", "DO RELEASE_ALL_LOCKS()"], ""),
    (["SELECT GET_LOCK(?, 1)", "SELECT RELEASE_LOCK(?)"], "named-lock"),
    (["LOCK TABLES t READ"], "table-locks"),
    (["LOCK TABLES t READ", "UNLOCK TABLES"], ""),
    (["LOCK TABLES t READ", "BEGIN"], ""),
    (["FLUSH TABLES WITH READ LOCK", "BEGIN"], "global-lock"),
    (["FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES"], ""),
    (["LOCK INSTANCE FOR BACKUP", "UNLOCK TABLES"], "instance-lock"),
    (["LOCK INSTANCE FOR BACKUP", "UNLOCK INSTANCE"], ""),
    (["BACKUP STAGE START", "BACKUP STAGE FLUSH"], "backup-stage"),
    (["BACKUP STAGE START", "BACKUP STAGE END"], ""),
    (["HANDLER t OPEN", "HANDLER t READ FIRST"], "handler"),
    (["HANDLER t OPEN AS x", "HANDLER t CLOSE"], "handler"),
    (["HANDLER t OPEN AS x", "HANDLER x CLOSE"], ""),
    (["XA START 'a'"], "xa"),
    (["XA START 'a'", "XA END 'a'", "XA PREPARE 'a'"], "xa"),
    (["XA START 'a'", "XA END 'a'", "XA COMMIT 'a' ONE PHASE"], ""),
    (["SET timestamp = 5"], "connection-variable:timestamp"),
    (["SET timestamp = 5", "SET timestamp = DEFAULT"], ""),
    (["SET SESSION sql_log_bin = 0", "SET sql_log_bin = 1"], ""),
    (["SET sql_mode = CONCAT(@@sql_mode, ',ANSI')"], "set-expression:sql_mode"),
    (["SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", "SET sql_mode = ''"], ""),
    (["SET x = f()", "SET y = 1"], "set-expression:x"),
    (["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"], "next-transaction"),
    (["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "BEGIN"], "next-transaction"),
    (["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "COMMIT"], ""),
    (["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "ROLLBACK TO a"], "next-transaction"),
    (["PREPARE s FROM @a"], "text-prepare"),
    (["PREPARE s FROM @a", "PREPARE s FROM 'SELECT 1'"], ""),
    (["PREPARE s FROM @a", "DEALLOCATE PREPARE S"], ""),
    (["PREPARE s FROM @a", "DROP PREPARE t"], "text-prepare"),
    (["PREPARE s FROM 'CREATE TEMPORARY TABLE t (a INT)'"], ""),
    (["INSERT INTO t VALUES (1); PREPARE s FROM 'SELECT 1'"], "text-prepare"),
    (["PREPARE s FROM 'SELECT 1'", "PREPARE s FROM 'SELECT 2'; BEGIN"], "text-prepare"),
    (["PREPARE s FROM 'SELECT 1'; DO 1; DEALLOCATE PREPARE s"], ""),
    (["INSERT INTO t VALUES (1); PREPARE s FROM 'SELECT 1'", "PREPARE s FROM 'SELECT 1'"], ""),
    (["CALL p()"], "procedure"),
    (["FOO"], "unknown-statement"),
    (["BEGIN NOT ATOMIC SELECT 1"], "compound-statement"),
    (["DROP DATABASE APP"], "dropped-schema"),
    (["DROP DATABASE APP", "USE b"], ""),
    (["DROP DATABASE b"], ""),
    (["SET @a = 1", "SET @b = f()", "SELECT f()", "INSERT INTO t VALUES (1)"], ""),
]


@pytest.mark.parametrize(("texts", "pin"), PINS)
def test_pins(texts: list[str], pin: str) -> None:
    state = Session().run(*texts).state
    assert state.pin == pin
    assert state.free is not bool(pin)


READ_ONLY = 0x2000
# What the primary's status is behind each statement, and why the session stays there in the end.
ENDED_BY_AUTOCOMMIT = [
    ([("START TRANSACTION READ ONLY", IN_TRANS | READ_ONLY), ("SET autocommit = 1", AUTOCOMMIT)], "next-transaction"),
    ([("START TRANSACTION READ ONLY", IN_TRANS | READ_ONLY), ("SET autocommit = DEFAULT", 0)], "next-transaction"),
    ([("START TRANSACTION", IN_TRANS), ("SET autocommit = 1", AUTOCOMMIT)], ""),
    ([("START TRANSACTION READ ONLY", IN_TRANS | READ_ONLY), ("COMMIT; SET autocommit = 1", AUTOCOMMIT)], ""),
    ([("START TRANSACTION READ ONLY", IN_TRANS | READ_ONLY), ("COMMIT", 0), ("SET autocommit = 1", AUTOCOMMIT)], ""),
    (
        [
            ("SET SESSION TRANSACTION READ ONLY", 0),
            ("SELECT a FROM t", IN_TRANS | READ_ONLY),
            ("SET autocommit = 1", AUTOCOMMIT),
        ],
        "",
    ),
    (
        [
            ("SET SESSION TRANSACTION READ ONLY", 0),
            ("START TRANSACTION READ WRITE", IN_TRANS),
            ("SET autocommit = 1", AUTOCOMMIT),
        ],
        "next-transaction",
    ),
]


@pytest.mark.parametrize(("steps", "pin"), ENDED_BY_AUTOCOMMIT)
def test_autocommit_that_ends_a_transaction_leaves_its_access_to_the_next_one(
    steps: list[tuple[str, int]], pin: str
) -> None:
    session = Session()
    session.state.status = 0
    for text, status in steps:
        before, session.state.status = session.state.status, status
        session.run(text)
        session.state.leave_access(classified(text).effects, before)
    assert session.state.pin == pin
    session.run("COMMIT")
    assert session.state.pin == ""


def test_a_reset_does_not_bring_a_dropped_schema_back() -> None:
    state = Session("app").run("DROP DATABASE app").state
    state.reset()
    assert state.pin == "dropped-schema"


@pytest.mark.parametrize("texts", [texts for texts, pin in PINS if pin != "dropped-schema"])
def test_a_reset_ends_every_other_pin(texts: list[str]) -> None:
    state = Session().run(*texts).state
    state.reset()
    assert (state.pin, state.private, state.repeatable.resets, len(state.repeatable.named)) == ("", False, 1, 0)


@pytest.mark.parametrize(
    ("text", "errno", "begun", "pin"),
    [
        ("CREATE TEMPORARY TABLE t (a INT)", 1050, False, ""),
        ("LOCK TABLES t READ", 1146, False, ""),
        ("CALL p()", 1146, False, "procedure"),
        ("CALL p()", 1064, False, ""),
        ("FOO", 1064, False, ""),
        ("FOO", 1064, True, "unknown-statement"),
        ("SELECT GET_LOCK('a', 1)", 1317, False, "named-lock"),
        ("CREATE TEMPORARY TABLE t (a INT); SELECT nonsense", 1054, True, "temp-table"),
        ("SELECT 1; CREATE TEMPORARY TABLE t (a INT)", 1050, True, "temp-table"),
        ("PREPARE s FROM 'SELECT 1'; SELECT nonsense", 1054, True, "text-prepare"),
        ("PREPARE s FROM 'SELECT nonsense'", 1054, False, ""),
        ("SET timestamp = DEFAULT", 1231, False, ""),
    ],
)
def test_what_a_failed_statement_may_have_done(text: str, errno: int, begun: bool, pin: str) -> None:
    assert Session().fail(text, errno, begun).state.pin == pin


def test_what_failed_ends_no_pin_and_sets_nothing() -> None:
    session = Session().run("LOCK TABLES t READ").fail("UNLOCK TABLES").fail("SET a = 1").fail("USE b")
    assert (session.state.pin, session.state.schema, session.replayed()) == ("table-locks", "app", [])


def test_a_prepare_that_failed_took_the_statement_before_with_it() -> None:
    session = Session().run("PREPARE s FROM 'SELECT 1'")
    assert session.state.repeatable.named.find("s") is not None
    assert session.fail("PREPARE s FROM 'SELECT nonsense'").state.repeatable.named.find("s") is None


def test_a_prepare_of_a_text_with_a_wrong_syntax_did_so_too() -> None:
    session = Session().run("PREPARE s FROM 'SELECT 1'").fail("PREPARE s FROM 'SELEC'", errno=1064)
    assert session.state.repeatable.named.find("s") is None


@pytest.mark.parametrize(("server", "kept"), [(MYSQL, True), (MARIADB, False)])
def test_a_prepare_from_an_expression_leaves_it_where_that_is_no_syntax(server: ServerVersion, kept: bool) -> None:
    session = Session().run("PREPARE s FROM 'SELECT 1'")
    statement = classified("PREPARE s FROM CONCAT('SELEC')", server)
    session.state.failed(statement, 1064, False, session.seen)
    assert (session.state.repeatable.named.find("s") is not None) is kept


@pytest.mark.parametrize(
    ("source", "errno", "kept"),
    [
        ("nosuch", 1054, True),
        ("`SELECT 1`", 1054, True),
        ("(1, 2)", 1241, True),
        ("CONCAT('SELECT a', (SELECT 1))", 1970, True),
        ("CONCAT('SELECT ', 'a')", 1054, False),
        ("@a", 1054, False),
        ("NULL", 1064, False),
    ],
)
def test_an_expression_that_is_wrong_leaves_it_on_mariadb(source: str, errno: int, kept: bool) -> None:
    session = Session().run("PREPARE s FROM 'SELECT 1'")
    session.state.failed(classified(f"PREPARE s FROM {source}", MARIADB), errno, False, session.seen)
    assert (session.state.repeatable.named.find("s") is not None) is kept


@pytest.mark.parametrize("text", ["COMMIT RELEASE", "ROLLBACK AND NO CHAIN RELEASE", "COMMIT WORK RELEASE"])
def test_a_transaction_can_end_the_connection_with_it(text: str) -> None:
    assert Session().run(text).state.released
    assert not Session().run("BEGIN", "COMMIT NO RELEASE", "ROLLBACK AND CHAIN").state.released


@pytest.mark.parametrize(
    ("texts", "released"),
    [
        (["SET completion_type = 2", "COMMIT"], True),
        (["SET SESSION completion_type = 'release'", "BEGIN", "ROLLBACK AND NO CHAIN"], True),
        (["SET completion_type = 2", "BEGIN"], False),
        (["SET completion_type = 2", "COMMIT NO RELEASE"], False),
        (["SET completion_type = 2", "ROLLBACK TO SAVEPOINT a"], False),
        (["SET completion_type = CHAIN", "COMMIT"], False),
        (["SET completion_type = 2, completion_type = DEFAULT", "COMMIT"], False),
    ],
)
def test_a_setting_can_end_the_connection_with_each(texts: list[str], released: bool) -> None:
    assert Session().run(*texts).state.released is released


@pytest.mark.parametrize(
    ("texts", "has_role"), [([], False), (["SET ROLE r"], True), (["SET ROLE ALL"], True), (["SET ROLE NONE"], False)]
)
def test_a_role_is_one_that_is_not_none(texts: list[str], has_role: bool) -> None:
    assert Session().run(*texts).state.has_role is has_role


def test_a_role_that_was_kept_pins_until_another_is_set() -> None:
    session = Session()
    session.state.keep_role("")
    session.state.reset()
    assert (session.state.pin, session.state.has_role) == ("kept-role", True)
    assert session.run("SET ROLE NONE").state.pin == ""
    assert not session.state.has_role


def test_a_role_that_was_kept_by_the_same_user_is_told() -> None:
    session = Session()
    session.state.keep_role("a, b")
    assert (session.state.pin, session.state.has_role, session.replayed()) == ("", True, [b"\x03SET ROLE a, b"])


def test_a_reset_ends_that() -> None:
    session = Session().run("SET completion_type = 2")
    session.state.reset()
    assert not session.run("COMMIT").state.released


def test_settings_are_replayed() -> None:
    session = Session().run("SET NAMES latin1", "SET time_zone = '+00:00', sql_mode = ''", "USE `b c`", "SET ROLE NONE")
    assert session.replayed() == [
        b"\x03SET NAMES latin1, @@session.time_zone = '+00:00', @@session.sql_mode = ''",
        b"\x02b c",
        b"\x03SET ROLE NONE",
    ]
    assert session.seen.version == session.state.repeatable.version == 7
    session.state.set_option(b"\x03\0\0\0\x1b\0\0", session.seen)
    session.run("SET SESSION TRANSACTION READ ONLY")
    assert session.replayed(7) == [b"\x1b\0\0", b"\x03SET SESSION TRANSACTION READ ONLY"]
    session.state.reset()
    assert session.replayed() == [b"\x02b c", b"\x03SET ROLE NONE", b"\x1b\0\0"]


def test_a_schema_is_named_in_the_character_set_of_the_client() -> None:
    session = Session(baseline=Baseline(charset="gbk"))
    session.state.apply(classified("USE 縗"), b"", session.seen)
    assert (session.state.schema, session.replayed()) == ("縗", [b"\x02\xbf\x5c"])
    session.state.use("x", b"x", session.seen)
    assert session.replayed() == [b"\x02x"]


def test_very_many_settings_pin() -> None:
    session = Session().run(*(f"SET a{number} = 1" for number in range(65)))
    assert session.state.pin == "many-settings"


@pytest.mark.parametrize(("status", "inside"), [(2, False), (3, True), (0, True), (1, True), (2 | 0x4000, False)])
def test_a_transaction_is_open_or_would_be_opened(status: int, inside: bool) -> None:
    state = SessionState("", status)
    assert (state.in_transaction, state.free) == (inside, not inside)
    state.status = AUTOCOMMIT
    assert (state.in_transaction, state.free) == (False, True)
    state.status = status
    assert (state.status, state.in_transaction, state.free) == (status, inside, not inside)


@pytest.mark.parametrize("schema", ["mysql", "Performance_Schema", "SYS"])
def test_reads_are_not_free_in_a_schema_of_the_server(schema: str) -> None:
    assert not Session(schema).state.free
    assert not Session().run(f"USE {schema}").state.free
    assert Session(schema).run("USE app").state.free


# What texts mean after these statements.
MEANINGS = [
    (["SET sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES'"], Meaning(ansi_quotes=True)),
    (["SET sql_mode = ANSI"], Meaning(ansi_quotes=True, ignore_space=True)),
    (["SET sql_mode = ANSI", "SET SESSION sql_mode = ''"], DEFAULT_MEANING),
    (["SET sql_mode = ANSI", "SET sql_mode = DEFAULT"], Meaning(ignore_space=True)),
    (["SET sql_mode = CONCAT(@@sql_mode, '')"], Meaning(ansi_quotes=True, ignore_space=True, foreign=True)),
    (["SET NAMES gbk"], Meaning(ignore_space=True, codec="gbk")),
    (["SET NAMES gbk", "SET NAMES utf8"], Meaning(ignore_space=True)),
    (["SET NAMES DEFAULT"], Meaning(ignore_space=True, codec="?")),
    (["SET CHARACTER SET latin1"], Meaning(ignore_space=True, codec="cp1252")),
    (["SET character_set_client = big5"], Meaning(ignore_space=True, codec="big5")),
    (["SET character_set_client = 28"], Meaning(ignore_space=True, codec="?")),
    (["SET character_set_results = gbk"], Meaning(ignore_space=True)),
]


@pytest.mark.parametrize(("texts", "meaning"), MEANINGS)
def test_what_texts_mean(texts: list[str], meaning: Meaning) -> None:
    session = Session(baseline=Baseline("IGNORE_SPACE", "utf8mb4", "latin1"))
    assert session.state.reading.meaning == Meaning(ignore_space=True)
    assert session.run(*texts).state.reading.meaning == meaning
    session.state.reset()
    assert session.state.reading.meaning == Meaning(codec="cp1252")


def test_the_status_tells_what_backslashes_are() -> None:
    state = Session().state
    state.status = AUTOCOMMIT | NO_BACKSLASH_ESCAPES
    assert state.reading.meaning == Meaning(backslash_escapes=False)
    state.status = AUTOCOMMIT
    assert state.reading.meaning is DEFAULT_MEANING or state.reading.meaning == DEFAULT_MEANING


@pytest.mark.parametrize(
    ("text", "changes"),
    [("SET NAMES utf8mb4", True), ("SET sql_mode = '', a = 1", True), ("SET character_set_results = NULL", True),
     ("SET collation_connection = x", True), ("SET CHARACTER SET utf8", True), ("SET autocommit = 1", False),
     ("SET time_zone = 'UTC'", False), ("USE b", False), ("SET @a = 1", False)],
)  # fmt: skip
def test_what_changes_the_meaning_of_what_was_prepared(text: str, changes: bool) -> None:
    session = Session()
    before = session.state.reading.version
    assert (session.run(text).state.reading.version != before) is changes


@pytest.mark.parametrize(
    ("texts", "read", "known"),
    [
        ([], "SELECT @a", True),
        (["SET @a = 1"], "SELECT @a", True),
        (["SET @a = 1", "SET @a = @@hostname"], "SELECT @a", False),
        (["SELECT @b := 1"], "SELECT @a", True),
        (["SELECT @b := 1"], "SELECT @b", False),
        (["SELECT 1 INTO @b"], "SELECT @a, @B", False),
        (["SET @a = 1", "CALL p(@a)"], "SELECT @a", False),
        (["SET @'a' = 1"], "SELECT @b", False),
        (["SET @a = 'x'", "SET NAMES latin1"], "SELECT @a", False),
        (["SET @a = 5", "SET NAMES latin1"], "SELECT @a", True),
    ],
)
def test_which_variables_are_known(texts: list[str], read: str, known: bool) -> None:
    state = Session().run(*texts).state
    assert state.repeatable.knows(classified(read).variables) is known


def test_a_failed_statement_may_have_given_any_value() -> None:
    assert (
        not Session()
        .run("SET @a = 1")
        .fail("SELECT @b := 1 FROM t", 1317)
        .state.repeatable.knows(classified("SELECT @a").variables)
    )


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("SELECT 1", False), ("SET a = 1", False), ("SET @a = 1", False), ("USE b", False), ("BEGIN", False),
        ("PREPARE s FROM 'SELECT 1'", False), ("SELECT * FROM t FOR UPDATE", False), ("SHOW STATUS", False),
        ("SET @a = @@hostname", True), ("INSERT INTO t VALUES (1)", False), ("SELECT f()", True),
        ("CREATE TEMPORARY TABLE t (a INT)", True), ("SELECT LAST_INSERT_ID(5)", False), ("SELECT 1 INTO @a", True),
        ("SELECT GET_LOCK('a', 1)", True), ("SET last_insert_id = 5", False),
    ],
)  # fmt: skip
def test_whether_a_connection_may_be_lost(text: str, private: bool) -> None:
    assert Session().run(text).state.private is private


def test_what_only_the_lost_connection_knew_is_not_known_any_more() -> None:
    session = Session().run("SELECT 1")
    session.state.lose_connection()
    assert not session.state.insert_id_lost
    session.run("INSERT INTO t VALUES (1)")
    session.state.lose_connection()
    assert (session.state.insert_id_lost, session.state.insert_id, session.state.wrote) == (True, 0, False)
    session.state.reset()
    assert not session.state.insert_id_lost


@pytest.mark.parametrize(
    ("texts", "private"),
    [
        (["SET @a = 'x'", "SET NAMES latin1"], True),
        (["SET @a = 5", "SET NAMES latin1"], False),
        (["PREPARE s FROM 'SELECT 1'", "USE b"], True),
        (["USE b", "PREPARE s FROM 'SELECT 1'"], False),
        (["PREPARE s FROM 'SELECT 1'", "SET sql_mode = ''"], True),
        (["PREPARE s FROM 'SELECT 1'", "SET sql_mode = ''", "DEALLOCATE PREPARE s"], False),
    ],
)
def test_what_would_mean_something_else_now_is_only_in_its_connection(texts: list[str], private: bool) -> None:
    state = Session().run(*texts).state
    assert (state.private, state.transferable) == (private, not private)


# --- connections change hands -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "transferable"),
    [
        ([], True),
        (["SET time_zone = '+00:00'", "SET @a = 1", "PREPARE s FROM 'SELECT 1'"], True),
        (["CREATE TEMPORARY TABLE t (a INT)"], False),
        (["SET @a = 1 + 1"], False),
        (["PREPARE s FROM 'SELECT 1'", "SET NAMES latin1"], False),
        (["USE `é`"], False),
    ],
)
def test_whether_the_connection_to_the_primary_may_serve_others(texts: list[str], transferable: bool) -> None:
    assert Session().run(*texts).state.transferable is transferable


def test_a_connection_of_a_session_in_step_is_as_it_is() -> None:
    one = Session().run("SET time_zone = '+00:00'")
    told = one.state.repeatable.told(one.seen)
    other, seen = SessionState("app", AUTOCOMMIT), Seen()
    assert one.state.repeatable.fit(told, resettable=True) is Fit.SAME
    assert other.repeatable.fit(told, resettable=True) is Fit.RESET
    one.state.repeatable.take_over(told, seen)
    assert (seen.version, seen.resets) == (one.state.repeatable.version, one.state.repeatable.resets)


def test_a_connection_that_has_less_is_told_the_rest() -> None:
    one, other = Session().run("SET time_zone = '+00:00'"), Session().run("SET time_zone = '+00:00'", "SET a = 1")
    told = one.state.repeatable.told(one.seen)
    assert other.state.repeatable.fit(told, resettable=True) is Fit.TELL
    seen = Seen()
    other.state.repeatable.take_over(told, seen)
    missing = other.state.repeatable.missing(seen.version)
    assert missing is not None
    assert missing.text == "SET @@session.a = 1"


def test_a_connection_that_has_something_else_is_reset() -> None:
    one, other = Session().run("SET @a = 1"), Session()
    told = one.state.repeatable.told(one.seen)
    assert not told.bare
    seen = Seen()
    other.state.repeatable.take_over(told, seen)
    assert seen.resets != other.state.repeatable.resets


def test_what_a_connection_has_is_not_known_while_it_is_behind() -> None:
    session = Session().run("SET time_zone = '+00:00'")
    assert session.state.repeatable.told(Seen()).settings is None


def test_texts_mean_the_same_where_the_same_was_set() -> None:
    one, other = Session().run("SET time_zone = '+00:00'", "SET NAMES latin1"), Session().run("SET NAMES latin1")
    assert one.state.text_settings == other.state.text_settings
    assert one.state.reading.charset == "latin1"
    assert Session().run("CREATE TEMPORARY TABLE t (a INT)").state.text_settings is None


def test_a_connection_is_told_the_variables_that_it_lacks() -> None:
    session = Session().run("SET @a = 1", "SET @b = 2")
    assert session.state.repeatable.missing_variables(session.seen) == {}
    assert list(session.state.repeatable.missing_variables(Seen())) == ["a", "b"]


def test_a_schema_that_is_left_is_gone_back_to() -> None:
    session = Session()
    session.state.repeatable.leave_schema()
    assert session.replayed(session.seen.version) == [b"\x02app"]


def test_a_statement_that_failed_may_hold_something_all_the_same() -> None:
    session = Session().fail("SELECT 1 +")
    assert session.state.pins.holds


def test_a_set_that_fails_half_way() -> None:
    """The assignments in front of the one without a default were made."""
    session = Session().fail("SET character_set_results = latin1, insert_id = DEFAULT", errno=1230)
    assert session.state.pins.reasons()[0] == "set-expression:character_set_results"
    assert session.run("SET character_set_results = utf8mb4, insert_id = 0").state.pins.reasons() == [
        "connection-variable:insert_id"
    ]
    assert Session().fail("SET @a = 1, last_insert_id = DEFAULT", errno=1230).state.private
    assert (
        not Session()
        .fail("SET @a = 1, last_insert_id = DEFAULT", errno=1230)
        .state.repeatable.knows(classified("SELECT @a").variables)
    )
    assert "set-unknown" in Session().fail("SET NAMES latin1, insert_id = DEFAULT", errno=1230).state.pins.reasons()


def test_what_limits_the_time_of_statements_is_told_again_behind_a_reset() -> None:
    state = Session().state
    assert state.repeatable.missing(LOGIN) is None
    state.repeatable.limit_time(SetVariable("max_statement_time", "2.5"))
    setting = state.repeatable.missing(LOGIN)
    assert setting is not None
    assert setting.text == "SET @@session.max_statement_time = 2.5"
    state.reset()
    again = state.repeatable.missing(setting.version)
    assert again is not None
    assert again.text == setting.text
    state.repeatable.limit_time(None)
    state.reset()
    assert state.repeatable.missing(again.version) is None


def test_a_function_that_is_not_known_may_set_any_variable() -> None:
    assert not Session().run("SET @a = 1", "SELECT f()").state.repeatable.knows(classified("SELECT @a").variables)


@pytest.mark.parametrize(
    ("texts", "beside", "reason"),
    [
        (["SET @a = 1"], [], ""),
        (["SET @a = RAND()"], [], "session-state"),
        (["SAVEPOINT a"], [], "savepoint"),
        (["SAVEPOINT a"], ["savepoint"], ""),
        (["SAVEPOINT a", "CREATE TEMPORARY TABLE t (a INT)"], ["savepoint"], "temp-table"),
    ],
)
def test_what_ties_it_to_its_connection_beside_what_is_known(texts: list[str], beside: list[str], reason: str) -> None:
    assert Session().run(*texts).state.tied(frozenset(beside)) == reason


def test_it_is_told_what_holds_a_connection() -> None:
    assert Session().run("SET NAMES latin1", "SET @a = 1").state.holds == ()
    assert Session().run("SELECT f(1)").state.holds == ("unknown-function", "session-state")
    assert Session().run("SET @a = UUID()").state.holds == ("session-state",)


@pytest.mark.parametrize(
    ("texts", "level"),
    [
        (["SET @manyreads_consistency = 'eventual'"], Level.EVENTUAL),
        (['SET @a = 1, @ManyReads_Consistency = "STRICT"'], Level.STRICT),
        (["SET @manyreads_consistency = 'eventual'", "SET @other = 'strict'", "CALL p()"], Level.EVENTUAL),
        (["SET @manyreads_consistency = 'eventual'", "SET @manyreads_consistency = 'none'"], None),
        (["SET @manyreads_consistency = 'eventual'", "SET @manyreads_consistency = NULL"], None),
        (["SET @manyreads_consistency = 'eventual'", "SET @manyreads_consistency = LOWER('STRICT')"], None),
        (["SET @other = 'strict'"], None),
    ],
)
def test_a_session_chooses_its_level(texts: list[str], level: Level | None) -> None:
    session = Session().run(*texts)
    assert session.state.level is level
    session.state.reset()
    assert session.state.level is None
