"""Prepared statements, of the binary protocol and as text."""

from collections.abc import Iterator
from typing import Final

from tests.differential.draw import Draw, any_of
from tests.differential.steps import Kind, Step, query
from tests.support.wireclient import Value

_TINY, _SHORT, _LONG, _DOUBLE, _LONGLONG, _DATE, _DATETIME, _BLOB, _STRING = 1, 2, 3, 5, 8, 10, 12, 252, 253
_UNSIGNED: Final = 0x8000
_READ_ONLY_CURSOR: Final = 1
_HANDLES: Final = (1, 2, 3)
# Each with the number of its parameters.
_TEXTS: Final = (
    ("SELECT id, value FROM item WHERE id > ? ORDER BY id", 1),
    ("SELECT ? AS a, ? AS b, id FROM item ORDER BY id", 2),
    ("SELECT id, value, n FROM item ORDER BY id", 0),
    ("SELECT LENGTH(?), HEX(?), id FROM item ORDER BY id LIMIT 1", 2),
    ("INSERT INTO item (value, n) VALUES (?, ?)", 2),
    ("UPDATE item SET value = ? WHERE id = ?", 2),
    ("SELECT @a, @b, ?", 1),
    ("SELECT @a := ?", 1),
    ("SET @b = ?", 1),
    ("SELECT LAST_INSERT_ID(), ?", 1),
    ("SELECT @@time_zone, @@sql_mode, FROM_UNIXTIME(?)", 1),
    ("SELECT DATABASE(), id FROM item ORDER BY id", 0),
    ("CALL several()", 0),
    ("CALL answers(?, ?, ?)", 3),
    ("SELECT no_such_column FROM item", 0),
    ("SELECT 1; SELECT 2", 0),
    ("SELECT id FROM item ORDER BY id LIMIT ?", 1),
    ("CREATE TEMPORARY TABLE temp (a INT)", 0),
    ("SELECT COUNT(*) FROM temp", 0),
    ("BEGIN", 0),
    ("COMMIT", 0),
    ("SELECT 'a' || 'b', \"c\"", 0),
    ("DO GET_LOCK('~#one', 0)", 0),
    ("DELETE FROM item WHERE id = ?", 1),
    ("SELECT ROW_COUNT(), FOUND_ROWS()", 0),
    ("SHOW WARNINGS", 0),
    ("SELECT 1/0 FROM item", 0),
    ("SET time_zone = ?", 1),
    ("SET sql_select_limit = 1", 0),
    ("SELECT twice(?)", 1),
    ("SELECT id FROM ~b.item WHERE id < ? ORDER BY id", 1),
    ("SELECT n.note, i.id FROM item i LEFT JOIN noted n ON n.id = i.id WHERE i.value LIKE ? ORDER BY i.id", 1),
)


def _string(text: str) -> Value:
    data = text.encode()
    return _STRING, bytes((len(data),)) + data


# By kind. The values of one parameter are of one kind in all executions: MySQL keeps the type that the first one had,
# and which execution is the first on a server is another question with a proxy.
_KINDS: Final[tuple[tuple[Value, ...], ...]] = (
    (
        (_LONG, (1).to_bytes(4, "little")),
        (_LONG, (2).to_bytes(4, "little")),
        (_LONG, (-3).to_bytes(4, "little", signed=True)),
    ),
    ((_LONGLONG, (1 << 40).to_bytes(8, "little")), (_LONGLONG, b"\3" + bytes(7))),
    ((_LONGLONG | _UNSIGNED, ((1 << 64) - 1).to_bytes(8, "little")),),
    ((_TINY, b"\1"), (_TINY, b"\2")),
    ((_SHORT, b"\2\0"),),
    ((_DOUBLE, b"\0\0\0\0\0\0\xf8\x3f"),),
    (_string(""), _string("text"), _string("é"), _string("+02:00"), (_STRING, None)),
    ((_DATE, b"\4\xe8\x07\2\x1d"),),
    ((_DATETIME, b"\7\xe8\x07\2\x1d\x0c\x1e\0"),),
)
_OF_STRINGS: Final = 6


def _values(draw: Draw, handle: int) -> tuple[Value, ...]:
    return tuple(draw.one(_KINDS[kind]) for kind in draw.parameters.get(handle, ()))


def _execution(draw: Draw, handle: int) -> Step:
    cursor = _READ_ONLY_CURSOR if handle in draw.cursors else 0
    return Step(Kind.EXECUTE, handle=handle, values=_values(draw, handle), number=cursor)


def _prepare(draw: Draw) -> Step:
    handle = draw.one(_HANDLES)
    text, count = draw.one(_TEXTS)
    draw.parameters[handle] = tuple(draw.random.randrange(len(_KINDS)) for _ in range(count))
    draw.cursors.discard(handle)
    return Step(Kind.PREPARE, text, handle)


def binary(draw: Draw) -> Iterator[Step]:
    """Prepared and executed, mostly more than once."""
    step = _prepare(draw)
    yield step
    for _ in range(draw.one((1, 1, 2, 3))):
        yield _execution(draw, step.handle)


def execute_again(draw: Draw) -> Iterator[Step]:
    """What was prepared earlier, if there is anything."""
    handle = draw.one(tuple(draw.parameters) or _HANDLES)
    yield _execution(draw, handle)


def cursor(draw: Draw) -> Iterator[Step]:
    """Rows fetched a few at a time."""
    handle = draw.one(_HANDLES)
    draw.parameters[handle] = ()
    draw.cursors.add(handle)
    yield Step(Kind.PREPARE, "SELECT id, value FROM item ORDER BY id", handle)
    yield _execution(draw, handle)
    for _ in range(draw.one((1, 2, 3))):
        yield Step(Kind.FETCH, handle=handle, number=draw.one((1, 2, 5)))


def long_data(draw: Draw) -> Iterator[Step]:
    """A parameter in pieces."""
    handle = draw.one(_HANDLES)
    draw.parameters[handle] = (_OF_STRINGS,)
    draw.cursors.discard(handle)
    yield Step(Kind.PREPARE, "SELECT LENGTH(?), id FROM item ORDER BY id LIMIT 1", handle)
    for _ in range(draw.one((1, 2))):
        yield Step(Kind.LONG_DATA, draw.one(("abc", "x" * 5000)), handle)
    if draw.chance(0.2):
        yield Step(Kind.RESET, handle=handle)
    yield Step(Kind.EXECUTE, handle=handle, values=((_BLOB, b""),) if draw.chance(0.8) else (_string("short"),))


def commands(draw: Draw) -> Iterator[Step]:
    """Commands about any of the handles."""
    handle = draw.one(_HANDLES)
    kind = draw.one((Kind.RESET, Kind.CLOSE, Kind.FETCH, Kind.EXECUTE))
    if kind is Kind.EXECUTE:
        yield _execution(draw, handle)
        return
    if kind is Kind.CLOSE:
        draw.parameters.pop(handle, None)
        draw.cursors.discard(handle)
    yield Step(kind, handle=handle, number=2 if kind is Kind.FETCH else 0)


_NAMED_TEXTS: Final = (
    "'SELECT id FROM item WHERE id > ? ORDER BY id'",
    "'SELECT id, @a FROM item ORDER BY id'",
    "'INSERT INTO item (value) VALUES (?)'",
    '"SELECT DATABASE(), 1"',
    "'SELECT ''it'', @b'",
    "@c",
    "CONCAT('SELECT ', 5)",
    "'CALL several()'",
    "'SET @a = 9'",
    "'SELEC'",
    "'SELECT 1 || 2, \"x\"'",
    "'CREATE TEMPORARY TABLE temp (a INT)'",
    "'SELECT LAST_INSERT_ID()'",
    "'SELECT id INTO @a FROM item ORDER BY id LIMIT 1'",
)


def as_text(draw: Draw) -> Iterator[Step]:
    """PREPARE, EXECUTE and DEALLOCATE as statements."""
    name = draw.one(("p1", "p2", "P1"))
    text = draw.one(_NAMED_TEXTS)
    if text == "@c":
        yield query("SET @c = 'SELECT 3, id FROM item ORDER BY id'")
    yield query(f"PREPARE {name} FROM {text}")
    for _ in range(draw.one((1, 1, 2))):
        yield query(f"EXECUTE {name}{' USING @a' if '?' in text or draw.chance(0.1) else ''}")
    if draw.chance(0.3):
        yield query(f"{draw.one(('DEALLOCATE', 'DROP'))} PREPARE {name}")


named = any_of("EXECUTE p1", "EXECUTE p2", "EXECUTE p1 USING @a", "DEALLOCATE PREPARE p1", "DROP PREPARE p2")
immediate = any_of(
    *("EXECUTE IMMEDIATE 'SELECT id FROM item ORDER BY id'", "EXECUTE IMMEDIATE 'SET @a = 11'"),
    *("EXECUTE IMMEDIATE CONCAT('SELECT ', 1)", "EXECUTE IMMEDIATE 'SELECT ?' USING @a"),
)
