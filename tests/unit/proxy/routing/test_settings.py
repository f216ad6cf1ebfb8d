"""The settings of a session, as the commands that a connection behind it has to be sent."""

import pytest

from proxy.routing.settings import LOGIN, MAX_BYTES, MAX_SETTINGS, NOTHING, SettingLog
from proxy.sql.effects import SetNames, SetRole, SetTransaction, SetVariable


def replayed(log: SettingLog, version: int = 0) -> list[bytes]:
    packets = []
    while (missing := log.missing(version)) is not None:
        packets.append(missing.packet[4:] or b"\x03" + missing.text.encode())
        version = missing.version
    assert version == log.version
    return packets


def test_neighbours_are_told_in_one_command_in_the_order_of_their_last_change() -> None:
    log = SettingLog()
    for name, value in (("a", "1"), ("b", "'x'"), ("a", "2")):
        log.variable(SetVariable(name, value))
    assert replayed(log) == [b"\x03SET @@session.b = 'x', @@session.a = 2"]
    assert replayed(log, LOGIN + 2) == [b"\x03SET @@session.a = 2"]
    assert replayed(log, LOGIN + 3) == []


def test_the_default_schema_stands_between_what_was_set_before_and_behind_it() -> None:
    log = SettingLog()
    log.variable(SetVariable("a", "1"))
    log.use(b"db")
    log.names(SetNames("latin1", "latin1_bin"))
    log.variable(SetVariable("b", "2"))
    log.option(b"\x03\0\0\0\x1b\0\0")
    assert replayed(log) == [
        b"\x03SET @@session.a = 1",
        b"\x02db",
        b"\x03SET NAMES latin1 COLLATE latin1_bin, @@session.b = 2",
        b"\x1b\0\0",
    ]


@pytest.mark.parametrize(
    ("names", "text"),
    [(SetNames("utf8"), b"SET NAMES utf8"), (SetNames("latin1", connection=False), b"SET CHARACTER SET latin1")],
)
def test_names_take_the_place_of_what_they_set(names: SetNames, text: bytes) -> None:
    log = SettingLog()
    for name in ("character_set_client", "collation_connection", "character_set_results", "character_set_connection"):
        log.variable(SetVariable(name, "x"))
    log.names(SetNames("cp1251"))
    log.names(names)
    log.variable(SetVariable("character_set_results", "NULL"))
    assert replayed(log) == [b"\x03" + text + b", @@session.character_set_results = NULL"]


def test_roles_and_transactions() -> None:
    log = SettingLog()
    log.role(SetRole("NONE"))
    log.transactions(SetTransaction(True, "READ COMMITTED", True))
    log.transactions(SetTransaction(True, read_only=False))
    assert replayed(log) == [
        b"\x03SET ROLE NONE",
        b"\x03SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        b"\x03SET SESSION TRANSACTION READ WRITE",
    ]


def test_the_schema_is_chosen_with_the_roles_that_it_was_chosen_with() -> None:
    log = SettingLog()
    log.role(SetRole("a"))
    log.use(b"of_a")
    log.role(SetRole("b"))
    log.role(SetRole("NONE"))
    assert replayed(log) == [b"\x03SET ROLE a", b"\x02of_a", b"\x03SET ROLE NONE"]
    assert log.roles == ""
    log.clear()
    assert replayed(log) == [b"\x03SET ROLE a", b"\x02of_a", b"\x03SET ROLE NONE"]
    log.role(SetRole("c"))
    log.use(b"of_c")
    assert replayed(log) == [b"\x03SET ROLE c", b"\x02of_c"]


def test_a_value_that_is_not_known_any_more_is_not_told() -> None:
    log = SettingLog()
    log.variable(SetVariable("a", "1"))
    log.variable(SetVariable("b", "1"))
    log.forget("b")
    log.forget("c")
    assert log.missing(0) is not None
    assert log.missing(LOGIN + 1) is None


def test_many_or_large_settings_are_full() -> None:
    many, large = SettingLog(), SettingLog()
    for number in range(MAX_SETTINGS):
        many.variable(SetVariable(f"a{number}", "1"))
    for _ in range(5):
        large.variable(SetVariable("a", "x" * (MAX_BYTES - 30)))
    assert (many.full, large.full) == (False, False)
    many.variable(SetVariable("b", "1"))
    large.variable(SetVariable("b", "x" * 30))
    assert (many.full, large.full) == (True, True)


def test_what_the_login_said_is_told_to_a_connection_that_was_reset() -> None:
    log = SettingLog()
    log.begin(b"db", 8)
    log.variable(SetVariable("a", "1"))
    assert replayed(log, LOGIN) == [b"\x03SET @@session.a = 1"]
    assert replayed(log, NOTHING) == [
        b"\x03SET @@session.character_set_client = 8, @@session.character_set_results = 8, "
        b"@@session.collation_connection = 8",
        b"\x02db",
        b"\x03SET @@session.a = 1",
    ]
    assert replayed(log, log.version_of_first(1)) == replayed(log, NOTHING)[1:]
    assert log.version_of_first(0) == NOTHING


def test_a_reset_leaves_schema_option_and_roles() -> None:
    log = SettingLog()
    log.begin(b"db", 8)
    log.role(SetRole("r"))
    log.option(b"\x03\0\0\0\x1b\0\0")
    log.clear()
    assert [name for name, _ in log.told] == ["use", "role", "option"]
    assert log.lasting == {"use", "role", "option"}


def test_what_the_login_has_set_is_told_after_a_reset_only() -> None:
    log = SettingLog()
    log.begin(b"db", 0)
    assert replayed(log, NOTHING) == [b"\x02db"]
    assert replayed(log, LOGIN) == []
    bare = SettingLog()
    bare.begin(b"", 0)
    assert bare.missing(NOTHING) is None


def test_an_isolation_level_says_nothing_of_the_access() -> None:
    log = SettingLog()
    log.transactions(SetTransaction(session=True, isolation="SERIALIZABLE"))
    assert replayed(log) == [b"\x03SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"]
