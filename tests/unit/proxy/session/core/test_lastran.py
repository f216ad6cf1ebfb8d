"""Where statements ran that a session may ask about."""

import pytest

from proxy.session.core.lastran import LastRan
from proxy.session.core.request import Request
from proxy.sql.questions import FOUND_ROWS, ROW_COUNT, WARNINGS
from tests.support.machines import PRIMARY, REPLICA, Session, query

OTHER = "dbread2"
READ, WRITE, ASKS = "SELECT a FROM t", "UPDATE t SET a = 1", "SELECT FOUND_ROWS()"
NO_SUCH_TABLE, DIVISION_BY_ZERO, READ_ONLY_TRANSACTION = 1146, 1365, 1792


class Told:
    """What `LastRan` is told of the statements of one session."""

    def __init__(self) -> None:
        self.ran = LastRan()
        self._session = Session()

    def request(self, text: str) -> Request:
        return self._session.request(query(text))

    def runs(self, text: str, name: str, *, keeps_warnings: bool = False) -> Request:
        request = self.request(text)
        self.ran.sent(request, name, on_replica=name != PRIMARY, keeps_warnings=keeps_warnings)
        return request


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_read_can_run_again_with_the_questions_about_it(told: Told) -> None:
    read = told.runs(READ, REPLICA)
    asks = told.runs(ASKS, REPLICA)
    assert told.ran.again == (read, asks)
    told.runs(WRITE, PRIMARY)
    assert not told.ran.again


def test_a_read_does_not_run_again_behind_a_write(told: Told) -> None:
    read = told.runs(READ, REPLICA)
    told.runs("SET @a = 1", PRIMARY)
    assert told.ran.rows_again == (read,)
    told.runs("INSERT INTO t VALUES (1)", PRIMARY)
    assert told.ran.rows == REPLICA
    assert not told.ran.rows_again


def test_a_read_without_a_table_runs_again_behind_the_one_that_warned(told: Told) -> None:
    warned = told.runs("SELECT 1/0 FROM t", REPLICA)
    told.ran.left_warnings(REPLICA)
    last = told.runs("SELECT 1", OTHER, keeps_warnings=True)
    assert told.ran.again == (warned, last)
    for _ in range(4):
        told.runs("SELECT 1", OTHER, keeps_warnings=True)
    assert not told.ran.again


def test_what_the_primary_has_warned_of_is_there(told: Told) -> None:
    told.runs(WRITE, PRIMARY)
    told.ran.left_warnings(PRIMARY)
    last = told.runs("SELECT 1", REPLICA, keeps_warnings=True)
    assert told.ran.again == (last,)


def test_the_common_case_is_the_same(told: Told) -> None:
    read = told.request(READ)
    told.ran.read(read, REPLICA)
    assert (told.ran.server, told.ran.rows, told.ran.warnings, told.ran.again) == (REPLICA, REPLICA, REPLICA, (read,))
    told.ran.read(told.request(f"SELECT '{'a' * 65536}' FROM t"), OTHER)
    assert told.ran.again == told.ran.rows_again == ()


def test_each_question_has_a_server(told: Told) -> None:
    told.runs(READ, REPLICA)
    told.runs("SET @a = 1", PRIMARY, keeps_warnings=True)
    asked = [told.ran.asked(asks) for asks in (FOUND_ROWS, WARNINGS, ROW_COUNT, FOUND_ROWS | ROW_COUNT)]
    assert asked == [REPLICA, REPLICA, PRIMARY, PRIMARY]
    assert told.ran.is_split(FOUND_ROWS | ROW_COUNT)
    assert not told.ran.is_split(FOUND_ROWS)
    told.ran.left_warnings(PRIMARY)
    assert told.ran.asked(WARNINGS) == PRIMARY


@pytest.mark.parametrize(
    ("errno", "mariadb", "rows"),
    [
        (NO_SUCH_TABLE, True, REPLICA),
        (READ_ONLY_TRANSACTION, True, REPLICA),
        (DIVISION_BY_ZERO, True, PRIMARY),
        (DIVISION_BY_ZERO, False, REPLICA),
    ],
)
def test_after_an_error(told: Told, errno: int, mariadb: bool, rows: str) -> None:
    first = told.runs(READ, REPLICA)
    second = told.runs("SELECT b FROM t", OTHER)
    # A replica's error is asked for again at the primary.
    told.ran.sent(second, PRIMARY, on_replica=False, keeps_warnings=False)
    told.ran.failed(second, errno, begun=False, mariadb=mariadb)
    assert told.ran.rows == rows
    assert told.ran.again == ((first, second) if rows == REPLICA else ())


@pytest.mark.parametrize("begun", [False, True])
def test_of_several_statements_one_before_the_error_may_have_found_rows(told: Told, begun: bool) -> None:
    told.runs(READ, REPLICA)
    several = told.runs("INSERT INTO t SELECT 1; DROP TABLE missing", PRIMARY)
    told.ran.failed(several, NO_SUCH_TABLE, begun=begun, mariadb=False)
    assert told.ran.rows == (PRIMARY if begun else REPLICA)
