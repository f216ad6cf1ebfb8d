"""What a server reports of a session, and what becomes of it."""

import pytest

from proxy.routing.reported import explains, in_sql, new_values, set_by
from proxy.routing.state import Seen, SessionState
from proxy.sql import effects as e
from proxy.wire.sessiontrack import SessionTrack
from tests.support.statements import classified

NAMES = {"character_set_client", "character_set_results", "character_set_connection", "collation_connection"}


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("SET time_zone = '+01:00', sql_mode = DEFAULT, unique_checks = @a", {"time_zone"}),
        ("SET time_zone = '+01:00', time_zone = @a", set()),
        ("SET time_zone = @a, time_zone = '+01:00'", {"time_zone"}),
        ("SET NAMES latin1", NAMES),
        ("SET NAMES default", set()),
        ("INSERT INTO t VALUES (1)", set()),
    ],
)
def test_what_a_text_tells_as_well(text: str, known: set[str]) -> None:
    assert set_by(classified(text).effects) == known


@pytest.mark.parametrize(
    ("text", "does"),
    [
        *[("SET @a = 1", True), ("SET time_zone = @a", True), ("CREATE TEMPORARY TABLE t (a INT)", True)],
        *[("CALL p()", True), ("SET last_insert_id = 5", True), ("USE b", True), ("DROP TABLE t", True)],
        *[("INSERT INTO t VALUES (1)", False), ("SELECT f()", False), ("COMMIT", False), ("UPDATE t SET a = 1", False)],
    ],
)
def test_which_texts_explain_a_change(text: str, does: bool) -> None:
    assert explains(classified(text).effects) is does


@pytest.mark.parametrize(
    ("name", "value", "sql"),
    [
        *[("time_zone", "+01:00", "'+01:00'"), ("sql_mode", "", "''"), ("sql_select_limit", "5", "5")],
        *[("sql_select_limit", "five", ""), ("character_set_results", "", "NULL"), ("autocommit", "OFF", "'OFF'")],
        *[("time_zone", "a'b", ""), ("time_zone", "a\\b", ""), ("time_zone", "Ünter", "")],
    ],
)
def test_values_in_sql(name: str, value: str, sql: str) -> None:
    assert in_sql(name, value) == sql


def test_only_some_variables_are_believed_in_an_order_that_can_be_repeated() -> None:
    track = SessionTrack({"collation_connection": "a", "statement_id": "7", "character_set_connection": "b"})
    assert [effect.name for effect in new_values(track, ())] == ["character_set_connection", "collation_connection"]


class Session:
    """A state with one connection, on which statements succeed and report something."""

    def __init__(self) -> None:
        self.state = SessionState("app", 2)
        self.seen = Seen()

    def run(self, text: str, track: SessionTrack) -> SessionState:
        statement = classified(text)
        self.state.apply(statement, text.encode(), self.seen)
        self.state.reported(track, statement.effects, self.seen)
        return self.state

    def told(self) -> str:
        setting = self.state.repeatable.missing(0)
        return setting.text if setting is not None else ""


def test_a_set_by_an_expression_pins_until_the_server_tells() -> None:
    session = Session()
    assert session.run("SET time_zone = @a", SessionTrack()).pin == "set-expression:time_zone"
    state = session.run("SET time_zone = @a", SessionTrack({"time_zone": "+01:00"}, changed=True))
    assert (state.pin, session.told()) == ("", "SET @@session.time_zone = '+01:00'")
    assert session.seen.version == state.repeatable.version


def test_what_cannot_be_said_again_pins() -> None:
    assert Session().run("DO 1", SessionTrack({"time_zone": "a'b"})).pin == "set-expression:time_zone"


def test_the_meaning_of_texts_follows() -> None:
    state = Session().run("SET sql_mode = @a", SessionTrack({"sql_mode": "ANSI_QUOTES,ANSI"}))
    assert state.reading.meaning.quoting.ansi
    assert state.reading.version == 2
    assert state.free


def test_a_default_is_what_the_primary_makes_of_it() -> None:
    session = Session()
    session.run("SET sql_mode = DEFAULT", SessionTrack({"sql_mode": "ANSI"}, changed=True))
    assert session.told() == "SET @@session.sql_mode = 'ANSI'"


@pytest.mark.parametrize(
    ("text", "track", "schema", "pin"),
    [
        ("CALL p()", SessionTrack(schema="b", changed=True), "b", "procedure"),
        ("USE B", SessionTrack(schema="b", changed=True), "b", ""),
        ("USE b", SessionTrack(schema="b", changed=True), "b", ""),
        ("USE `ü`", SessionTrack(schema="Ü", changed=True), "ü", ""),
        ("INSERT INTO t VALUES (1)", SessionTrack(schema="ü"), "app", "state-change"),
        ("DROP DATABASE app", SessionTrack(schema=""), "app", "dropped-schema"),
        ("INSERT INTO t VALUES (1)", SessionTrack(changed=True), "app", "state-change"),
        ("INSERT INTO t VALUES (1)", SessionTrack(changed=False), "app", ""),
        ("INSERT INTO t VALUES (1)", SessionTrack({"time_zone": "+01:00"}), "app", ""),
    ],
)
def test_schemas_and_other_changes(text: str, track: SessionTrack, schema: str, pin: str) -> None:
    state = Session().run(text, track)
    assert (state.schema, state.pin) == (schema, pin)


def test_an_effect_of_no_known_kind_explains_nothing() -> None:
    assert not explains((e.Hold("unknown-function"),))


@pytest.mark.parametrize(
    ("triggers", "changed", "known"), [(True, True, False), (True, False, True), (False, True, True)]
)
def test_what_sets_a_variable_beside_triggers_may_have_set_any(triggers: bool, changed: bool, known: bool) -> None:
    session = Session()
    session.run("SET @a = 1", SessionTrack())
    statement = classified("INSERT INTO t VALUES (@b := 1)")
    session.state.reported(SessionTrack(changed=changed), statement.effects, session.seen, triggers=triggers)
    assert session.state.repeatable.knows(classified("SELECT @a").variables) is known
    assert session.state.pin == ""
