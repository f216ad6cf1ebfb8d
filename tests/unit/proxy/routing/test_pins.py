"""What ties a session down, and what ends it."""

from proxy.routing.pins import MAX_PINS, Pins, may_hold_on_error
from proxy.sql.effects import EVERY, Hold, Pin, Renamed, Unpin


def test_pins_end_by_reason_and_name() -> None:
    pins = Pins()
    assert (bool(pins), pins.reason, pins.reasons()) == (False, "", [])
    pins.pin(Pin("handler", "a"), "")
    pins.pin(Pin("handler", "a"), "")
    pins.pin(Pin("handler", "b"), "")
    pins.pin(Pin("xa"), "")
    assert (pins.reason, pins.reasons()) == ("handler", ["handler", "xa"])
    pins.unpin(Unpin("handler", "a"), "")
    pins.unpin(Unpin("handler", "c"), "")
    assert pins.reasons() == ["handler", "xa"]
    pins.unpin(Unpin("handler", "b"), "")
    pins.unpin(Unpin("xa"), "")
    assert not pins


def test_a_lock_is_held_as_often_as_it_was_taken() -> None:
    pins = Pins()
    for _ in range(2):
        pins.pin(Pin("named-lock", "a"), "")
    pins.pin(Pin("named-lock", "b"), "")
    pins.unpin(Unpin("named-lock", "a"), "")
    pins.unpin(Unpin("named-lock", "b"), "")
    assert pins.reason == "named-lock"
    pins.unpin(Unpin("named-lock", "a"), "")
    assert not pins
    pins.pin(Pin("named-lock", "a"), "")
    pins.pin(Pin("named-lock"), "")
    pins.pin(Pin("xa"), "")
    pins.unpin(Unpin("named-lock", EVERY), "")
    assert pins.reasons() == ["xa"]


def test_temporary_tables_belong_to_a_schema() -> None:
    pins = Pins()
    pins.pin(Pin("temp-table", table=("", "t")), "a")
    pins.unpin(Unpin("temp-table", table=("", "t")), "b")
    assert pins.reason == "temp-table"
    pins.unpin(Unpin("temp-table", table=("a", "t")), "b")
    assert not pins
    pins.pin(Pin("temp-table"), "a")
    pins.unpin(Unpin("temp-table", table=("", "t")), "a")
    assert pins.reason == "temp-table"


def test_a_temporary_table_under_a_new_name_is_not_let_go() -> None:
    pins = Pins()
    pins.renamed(Renamed(("", "t")), "a")
    assert not pins
    pins.pin(Pin("temp-table", table=("", "t")), "a")
    pins.renamed(Renamed(("a", "t")), "b")
    pins.unpin(Unpin("temp-table", table=("", "t")), "a")
    assert pins.reason == "temp-table"


def test_holds_and_the_end_of_all() -> None:
    pins = Pins()
    pins.hold(Hold("unknown-function"))
    assert (bool(pins), pins.holds) == (False, {"unknown-function"})
    pins.add("many-settings")
    pins.clear_all_but("")
    assert (bool(pins), pins.holds) == (False, set())


def test_what_a_failed_statement_may_leave_behind() -> None:
    assert [may_hold_on_error(Pin(reason)) for reason in ("procedure", "named-lock", "temp-table", "handler")] == [
        *(True, True, False, False),
    ]


def test_very_many_pins_are_one() -> None:
    pins = Pins()
    for number in range(MAX_PINS + 5):
        pins.add("handler", str(number))
    for number in range(MAX_PINS + 5):
        pins.end("handler", str(number))
    assert pins.reasons() == ["many-pins"]
