"""A connection goes from one session to another: what the next one still has to tell it."""

from proxy.routing.forms import Form
from proxy.routing.seen import Seen
from proxy.routing.state import SessionState
from proxy.routing.told import Fit, Told
from proxy.wire.constants import SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_IN_TRANS
from tests.support.statements import classified


class Session:
    """A session with one connection."""

    def __init__(self, schema: str = "app", collation_id: int = 8) -> None:
        self.state = SessionState(schema, SERVER_STATUS_AUTOCOMMIT)
        self.state.repeatable.begin(schema, collation_id)
        self.repeatable = self.state.repeatable
        self.seen = Seen()

    def run(self, *texts: str) -> "Session":
        for text in texts:
            self.state.apply(classified(text), text.encode(), self.seen)
        return self

    def takes(self, told: Told) -> list[bytes]:
        """What it tells the connection then, with "reset" in front where it has to be reset."""
        seen = Seen().passed_on()
        self.repeatable.take_over(told, seen)
        told_now = [b"reset"] if seen.resets != self.repeatable.resets else []
        while (missing := self.repeatable.missing(seen.version)) is not None:
            told_now.append(missing.packet[4:] or missing.text.encode())
            seen.version = missing.version
        return told_now

    def left_by(self, other: "Session") -> list[bytes]:
        return self.takes(other.repeatable.told(other.seen))


LOGIN = (
    b"SET @@session.character_set_client = 8, @@session.character_set_results = 8, @@session.collation_connection = 8"
)


def test_equal_sessions_have_nothing_to_tell() -> None:
    one, two = (Session().run("SET sql_mode = ''", "SET time_zone = '+00:00'") for _ in range(2))
    assert two.left_by(one) == []
    assert two.repeatable.fit(one.repeatable.told(one.seen), resettable=False) is Fit.SAME


def test_what_one_has_more_is_told() -> None:
    assert Session().run("SET sql_mode = ''").left_by(Session()) == [b"SET @@session.sql_mode = ''"]


def test_another_schema_and_all_behind_it_are_told() -> None:
    two = Session("other").run("SET sql_mode = ''")
    assert two.left_by(Session()) == [LOGIN, b"\2other", b"SET @@session.sql_mode = ''"]


def test_what_is_to_be_as_before_takes_a_reset() -> None:
    one = Session().run("SET sql_mode = ''")
    assert Session().left_by(one) == [b"reset", LOGIN, b"\2app"]


def test_user_variables_take_a_reset() -> None:
    assert Session().left_by(Session().run("SET @a = 1")) == [b"reset", LOGIN, b"\2app"]


def test_a_connection_that_lags_behind_its_session_takes_a_reset() -> None:
    one = Session().run("SET sql_mode = ''")
    one.seen.version = 0
    assert Session().run("SET sql_mode = ''").left_by(one)[0] == b"reset"


def test_what_is_prepared_stays_but_for_what_could_not_be() -> None:
    seen, good, bad = Seen(), Form(), Form()
    seen.statements, seen.types, seen.tracked, seen.most = {good: 3, bad: 0}, {good: b"\x03\0"}, True, 7
    after = seen.passed_on()
    assert (after.statements, after.types, after.tracked, after.most) == ({good: 3}, {good: b"\x03\0"}, True, 7)


def test_which_sessions_can_do_without_their_connection() -> None:
    assert Session().run("SET @a = 1", "INSERT INTO t VALUES (1)", "PREPARE p FROM 'SELECT 1'").state.transferable
    for text in ("CREATE TEMPORARY TABLE t (a INT)", "SELECT GET_LOCK('a', 1)", "SELECT f()", "SELECT CONNECTION_ID()"):
        assert not Session().run(text).state.transferable
    in_transaction = Session()
    in_transaction.state.status = SERVER_STATUS_AUTOCOMMIT | SERVER_STATUS_IN_TRANS
    assert not in_transaction.state.transferable
    assert not Session("caf\u00e9").state.transferable
    assert not Session().run("PREPARE p FROM 'SELECT 1'", "SET NAMES latin1").state.transferable


def after_reset() -> Session:
    """A session that its client has reset, on a connection that was reset with it."""
    one = Session()
    one.state.reset()
    one.seen.resets = one.repeatable.resets
    one.seen.forget_all()
    return one


def test_a_reset_that_does_not_bring_back_the_login() -> None:
    told = after_reset().repeatable.told(after_reset().seen)
    assert told.reset
    assert Session().repeatable.fit(told, resettable=False) is Fit.UNFIT
    assert Session().repeatable.fit(told, resettable=True) > Fit.RESET


def test_a_session_that_was_reset_resets_what_was_not() -> None:
    two, one = after_reset(), Session()
    assert two.repeatable.fit(one.repeatable.told(one.seen), resettable=False) is Fit.RESET
    assert two.left_by(one)[0] == b"reset"
    assert two.repeatable.fit(after_reset().repeatable.told(after_reset().seen), resettable=False) is Fit.SAME
