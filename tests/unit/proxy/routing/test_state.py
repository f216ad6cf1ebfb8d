"""What a session has set, in the order in which its other connections must be told."""

import pytest

from proxy.routing.state import MAX_SETTINGS, MAX_SETTINGS_BYTES, OPTION, USE, SessionState, changes_texts
from proxy.sql.statement import Kind, Statement

AUTOCOMMIT = 2


def setting(name: str, pin: str = "", schema: str = "") -> Statement:
    return Statement(Kind.SESSION, "session-setting", pin, name, schema)


def replayed(state: SessionState, version: int = 0) -> list[bytes]:
    packets = []
    while (missing := state.missing(version)) is not None:
        packets.append(missing.packet)
        version = missing.version
    return packets


def test_settings_are_repeated_in_the_order_of_their_last_change() -> None:
    state = SessionState("", AUTOCOMMIT)
    for name, packet in (("names", b"1"), ("sql_mode", b"2"), ("a", b"3"), ("names", b"4"), ("a", b"5")):
        state.apply(setting(name), packet)
    assert replayed(state) == [b"2", b"4", b"5"]
    assert replayed(state, 3) == [b"4", b"5"]
    assert replayed(state, 4) == [b"5"]
    assert replayed(state, 5) == []


def test_a_setting_of_two_names_does_not_replace_one_of_them() -> None:
    state = SessionState("", AUTOCOMMIT)
    for name, packet in (("a", b"1"), ("a,b", b"2"), ("b", b"3"), ("a", b"4")):
        state.apply(setting(name), packet)
    assert replayed(state) == [b"2", b"3", b"4"]


@pytest.mark.parametrize(("status", "inside"), [(2, False), (3, True), (0, True), (1, True), (2 | 0x4000, False)])
def test_a_transaction_is_open_or_would_be_opened(status: int, inside: bool) -> None:
    assert SessionState("", status).in_transaction is inside


def test_the_first_pin_is_shown() -> None:
    state = SessionState("", AUTOCOMMIT)
    state.pin_down("procedure")
    state.apply(setting("names", "character-set"), b"x")
    assert state.pin == "procedure"


def test_a_reset_keeps_the_schema_and_the_option_only() -> None:
    state = SessionState("a", AUTOCOMMIT)
    for name in ("names", USE, "a", OPTION):
        state.apply(setting(name, schema="b" if name == USE else ""), name.encode())
    state.private = True
    state.pin_down("temporary-table")
    state.reset()
    assert (state.schema, state.pin, state.private, state.resets) == ("b", "", False, 1)
    assert replayed(state) == [b"use", b"option"]


@pytest.mark.parametrize("pin", ["character-set", "sql-mode"])
def test_a_reset_does_not_end_what_the_login_began(pin: str) -> None:
    state = SessionState("", AUTOCOMMIT)
    state.pin_down(pin)
    state.reset()
    assert state.pin == pin


def test_many_or_large_settings_pin() -> None:
    many, large = SessionState("", AUTOCOMMIT), SessionState("", AUTOCOMMIT)
    for number in range(MAX_SETTINGS):
        many.apply(setting(f"a{number}"), b"x")
    for _ in range(5):
        large.apply(setting("a"), b"x" * (MAX_SETTINGS_BYTES - 1))
    assert (many.pin, large.pin) == ("", "")
    many.apply(setting("b"), b"x")
    large.apply(setting("b"), b"xx")
    assert (many.pin, large.pin) == ("many-settings", "many-settings")


@pytest.mark.parametrize(
    ("name", "changes"),
    [("names", True), ("sql_mode,a", True), ("a,character_set_client", True), ("collation_connection", True),
     ("character set", True), ("autocommit", False), ("time_zone,wait_timeout", False), (OPTION, False)],
)  # fmt: skip
def test_what_changes_the_meaning_of_texts(name: str, changes: bool) -> None:
    state = SessionState("a", AUTOCOMMIT)
    state.apply(setting(name), b"x")
    assert (state.texts != 0) is changes
    assert changes_texts(setting(name)) is changes


def test_a_connection_comes_back_to_the_schema_that_it_left() -> None:
    state = SessionState("a", AUTOCOMMIT)
    before = state.version
    state.leave_schema()
    missing = state.missing(before)
    assert missing is not None
    assert missing.packet == b"\2\0\0\0\2a"
