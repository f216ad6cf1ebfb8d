"""When the plain reads of a read-only transaction can run in a twin of it on a replica."""

import pytest

from proxy.routing.policy import decide
from proxy.routing.state import Seen, SessionState
from proxy.routing.twins import sees_snapshot
from tests.support.statements import classified

IN_TRANS, AUTOCOMMIT, READ_ONLY_FLAG = 1, 2, 0x2000
OPEN = IN_TRANS | AUTOCOMMIT
OPEN_READ_ONLY = OPEN | READ_ONLY_FLAG


def session(*steps: tuple[str, int], optimistic: bool = False) -> SessionState:
    """A session after statements, each with the status word that the primary answered."""
    state = SessionState("app", AUTOCOMMIT, optimistic=optimistic)
    seen = Seen()
    for text, status in steps:
        state.status = status
        state.apply(classified(text), text.encode(), seen)
    return state


READABLE = [
    [("START TRANSACTION READ ONLY", OPEN_READ_ONLY)],
    [("SET TRANSACTION READ ONLY", AUTOCOMMIT), ("BEGIN", OPEN_READ_ONLY)],
    [("SET SESSION TRANSACTION READ ONLY", AUTOCOMMIT), ("BEGIN", OPEN_READ_ONLY)],
    [("SET SESSION TRANSACTION READ ONLY", AUTOCOMMIT), ("SET autocommit = 0", 0)],
    [("BEGIN", OPEN_READ_ONLY), ("COMMIT AND CHAIN", OPEN_READ_ONLY)],
]
NOT_READABLE = [
    [
        ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", AUTOCOMMIT),
        ("START TRANSACTION READ ONLY", OPEN_READ_ONLY),
    ],
    [("BEGIN", OPEN)],
    [("START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT", OPEN_READ_ONLY)],
    [("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", AUTOCOMMIT), ("START TRANSACTION READ ONLY", OPEN_READ_ONLY)],
    [("SET autocommit = 0", 0)],
    [("SET SESSION TRANSACTION READ ONLY", AUTOCOMMIT), ("SET autocommit = 0", 0), ("SAVEPOINT a", IN_TRANS)],
    [
        ("SET SESSION TRANSACTION READ ONLY", AUTOCOMMIT),
        ("SET SESSION TRANSACTION READ WRITE", AUTOCOMMIT),
        ("SET autocommit = 0", 0),
    ],
    # A procedure began it.
    [("SELECT 1", OPEN_READ_ONLY)],
]


@pytest.mark.parametrize("steps", READABLE)
def test_plain_reads_go_to_the_twin(steps: list[tuple[str, int]]) -> None:
    route = decide(classified("SELECT a FROM t"), session(*steps))
    assert (route.reason, route.twin) == ("read-only-transaction", True)


@pytest.mark.parametrize("steps", NOT_READABLE)
def test_plain_reads_stay(steps: list[tuple[str, int]]) -> None:
    assert decide(classified("SELECT a FROM t"), session(*steps)).reason in (
        "in-transaction",
        "pinned:next-transaction",
    )


@pytest.mark.parametrize(
    "steps",
    [
        [("BEGIN", OPEN)],
        [("SET autocommit = 0", 0)],
        [("SET TRANSACTION READ WRITE", AUTOCOMMIT), ("BEGIN", OPEN)],
        [("BEGIN", OPEN), ("COMMIT AND CHAIN", OPEN)],
    ],
)
def test_those_that_may_write_have_a_twin_if_that_is_asked_for(steps: list[tuple[str, int]]) -> None:
    route = decide(classified("SELECT a FROM t"), session(*steps, optimistic=True))
    assert (route.reason, route.twin) == ("optimistic-transaction", True)
    assert not session(*steps).has_twin


@pytest.mark.parametrize(
    "steps",
    [
        [("START TRANSACTION WITH CONSISTENT SNAPSHOT", OPEN)],
        [("SET autocommit = 0", 0), ("DO 1", IN_TRANS)],
        [("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", AUTOCOMMIT), ("BEGIN", OPEN)],
        [("SET SESSION TRANSACTION READ ONLY", AUTOCOMMIT), ("START TRANSACTION READ WRITE", OPEN)],
    ],
)
def test_some_have_none_even_then(steps: list[tuple[str, int]]) -> None:
    assert not session(*steps, optimistic=True).has_twin


def test_one_that_was_rolled_back_for_its_reads_is_spared_the_next_time() -> None:
    state = session(("BEGIN", OPEN), optimistic=True)
    state.status = AUTOCOMMIT
    state.twins.lost()
    for status in (OPEN, AUTOCOMMIT):
        state.status = status
        state.apply(classified("BEGIN"), b"BEGIN", Seen())
    state.status = OPEN
    assert not session(("BEGIN", OPEN)).has_twin
    assert state.has_twin


def test_the_one_that_is_tried_again_reads_on_the_primary() -> None:
    state = session(("BEGIN", OPEN), optimistic=True)
    state.status = AUTOCOMMIT
    state.twins.lost()
    state.status = OPEN
    state.apply(classified("BEGIN"), b"BEGIN", Seen())
    assert not state.has_twin


def test_another_isolation_is_that_of_the_next_transaction() -> None:
    state = session(("BEGIN", OPEN), optimistic=True)
    state.twins.use()
    text = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
    state.apply(classified(text), text.encode(), Seen())
    assert state.has_twin
    state.apply(classified("COMMIT AND CHAIN"), b"COMMIT AND CHAIN", Seen())
    assert not state.has_twin


@pytest.mark.parametrize(("status", "pinned"), [(OPEN, True), (AUTOCOMMIT, False)])
def test_a_chained_transaction_has_the_isolation_of_the_one_before(status: int, pinned: bool) -> None:
    isolation = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
    state = session((isolation, AUTOCOMMIT), ("BEGIN", OPEN), ("COMMIT", status), optimistic=True)
    assert bool(state.pins) is pinned


def test_without_autocommit_it_begins_by_itself_where_that_was_told() -> None:
    assert session(("SET autocommit = 0", 0)).begins_itself
    assert not session(("SET autocommit = 0", 0), ("BEGIN", IN_TRANS)).begins_itself
    # The server's own default, which another need not have.
    assert not session(("SELECT 1", 0)).begins_itself
    assert not session(("SET autocommit = 1", AUTOCOMMIT)).begins_itself


def test_autocommit_off_amid_a_transaction_does_not_end_it() -> None:
    before = session(*READABLE[0]).twins.number
    state = session(*READABLE[0])
    state.status = IN_TRANS | READ_ONLY_FLAG
    assert (state.twins.number, state.has_twin) == (before, True)


def test_other_statements_stay() -> None:
    state = session(*READABLE[0])
    assert decide(classified("SELECT a FROM t FOR UPDATE"), state).reason == "locking-read"
    assert decide(classified("SELECT * FROM mysql.user"), state).reason == "server-local"


@pytest.mark.parametrize(
    "step",
    [("COMMIT", AUTOCOMMIT), ("BEGIN", OPEN_READ_ONLY), ("COMMIT AND CHAIN", OPEN_READ_ONLY), ("SELECT 1", AUTOCOMMIT)],
)
def test_another_transaction_has_another_number(step: tuple[str, int]) -> None:
    before = session(*READABLE[0]).twins.number
    assert session(*READABLE[0], step).twins.number != before


def test_autocommit_ends_transactions() -> None:
    before = session(*READABLE[3])
    after = session(*READABLE[3], ("SET autocommit = 1", AUTOCOMMIT))
    assert after.twins.number != before.twins.number
    assert not after.has_twin


def test_a_read_on_the_primary_keeps_the_others_there() -> None:
    state = session(*READABLE[0])
    state.twins.leave()
    assert not state.has_twin


def test_a_session_that_is_barred_stays_so_until_its_reset() -> None:
    state = session(*READABLE[0])
    state.twins.barred = True
    assert not state.has_twin
    state.reset()
    assert not state.twins.barred


@pytest.mark.parametrize(
    ("text", "sees"),
    [
        ("SELECT f(1)", True),
        ("SELECT a FROM t INTO @a", True),
        ("SELECT LAST_INSERT_ID() FROM t", True),
        ("CALL p()", True),
        ("SELECT GET_LOCK('a', 1)", False),
        ("SELECT CONNECTION_ID()", False),
        ("SELECT a FROM t FOR UPDATE", False),
        ("INSERT INTO t VALUES (1)", False),
        ("SET NAMES utf8mb4", False),
        ("SAVEPOINT a", False),
        ("SHOW WARNINGS", False),
        ("SELECT a FROM t", True),
    ],
)
def test_which_statements_see_a_snapshot(text: str, sees: bool) -> None:
    assert sees_snapshot(classified(text), text.encode()) is sees
