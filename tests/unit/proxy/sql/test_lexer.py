"""Strings and numbers as the servers' lexer cuts them; digests that are equal when only literals differ."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.sql.comments import Unreadable, strip
from proxy.sql.lexer import digest, split_statements, without_leading_comments


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT 1", "SELECT 200"),
        ("SELECT 1", "SELECT 'x'"),
        ("SELECT 1.5", "SELECT 1e10"),
        ("SELECT 0x1F", "SELECT 0"),
        ("SELECT 'a'", "SELECT 'it''s \\' ; -- # /* `'"),
        ('SELECT "a"', "SELECT 'b'"),
        ("SELECT a IN (1, 2)", "SELECT a IN (1, 2,3)"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (1, 'a'), (2, 'b'),(3,'c')"),
        ("SELECT `a`, 1", "SELECT `a`, 'x'"),
        ("SELECT `a 1`, 1", "SELECT `a 1`, '`'"),
        ("SELECT '`', `a`, 1", "SELECT 1, `a`, '`'"),
    ],
)
def test_equal_digests(one: str, other: str) -> None:
    assert digest(one.encode()) == digest(other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a", "SELECT b"),
        ("SELECT ?", "SELECT 5"),
        ("SELECT a1", "SELECT a2"),
        ("SELECT `1`", "SELECT `2`"),
        ("SELECT `a 1`", "SELECT `a 2`"),
        ("SELECT `a'b`, 'c'", "SELECT `a', 'c'"),
        ("SELECT `a`", "SELECT a"),
        ("SELECT 1a", "SELECT 2a"),
        ("SELECT t.1", "SELECT t.2"),
        ("SELECT @1", "SELECT @2"),
        ("SELECT $1", "SELECT $2"),
        ("SELECT é1", "SELECT é2"),
        ("SELECT 1é", "SELECT 2é"),
        ("SELECT 1", "SELECT `1`"),
        ("SELECT f(1)", "SELECT g(1)"),
        ("SELECT 1", "SELECT -1"),
        ("SELECT 1", "SELECT 1, a"),
        ("SELECT 'a' FOR UPDATE", "SELECT 'a FOR UPDATE'"),
        ("SELECT 'a\\' FOR UPDATE -- '", "SELECT 'a' FOR UPDATE -- '"),
        ("SELECT `a` FOR UPDATE", "SELECT `a FOR UPDATE`"),
        ("SELECT `a'`, f(), `b'`", "SELECT `a'`, g(), `b'`"),
        ("SELECT `a``'`, f(), `'b`", "SELECT `a``'`, g(), `'b`"),
    ],
)
def test_different_digests(one: str, other: str) -> None:
    assert digest(one.encode()) != digest(other.encode())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"SELECT 1", [b"SELECT 1"]),
        (b"SELECT 1;", [b"SELECT 1"]),
        (b";SELECT 1;; ;SELECT 2", [b"SELECT 1", b"SELECT 2"]),
        (b"SELECT ';', \";\", `;`; SELECT 'a\\';'", [b"SELECT ';', \";\", `;`", b" SELECT 'a\\';'"]),
        (b"SELECT 'open; SELECT 2", [b"SELECT 'open; SELECT 2"]),
        (b" ; ", []),
    ],
)
def test_statements_of_a_text(text: bytes, parts: list[bytes]) -> None:
    assert split_statements(text) == parts


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (b" /* a */ -- b\n# c\n(SELECT 1", b"SELECT 1"),
        (b"/*! SELECT */ 1", b"/*! SELECT */ 1"),
        (b"/*M! SELECT */ 1", b"/*M! SELECT */ 1"),
        (b"/* x", b"/* x"),
        (b"/* * ** */x", b"x"),
        (b"-- x", b"-- x"),
    ],
)
def test_leading_comments(text: bytes, left: bytes) -> None:
    assert without_leading_comments(text) == left


NASTY = [
    *(b"'", b'"', b"`", b"\\", b"/*", b"*/", b"-- ", b"--", b"#", b"\n", b"''", b"``", b"\\'"),
    *(b"1", b"0x", b"e", b".", b"a", b"?", b", ", b"(", b")", b"\xff", b"\0", b"@"),
]


@settings(max_examples=500)
@given(st.lists(st.sampled_from(NASTY), max_size=30).map(b"".join))
def test_any_bytes_have_a_digest(text: bytes) -> None:
    try:
        stripped = strip(text)
    except Unreadable:
        return
    assert isinstance(digest(stripped), bytes)
    assert b";".join(split_statements(stripped)) == stripped or b";" in stripped or not stripped.strip()


BACKQUOTED = st.lists(st.sampled_from([b"`", b"'", b'"', b"1", b" ", b"a", b"\\", b"`a`", b"'b'", b","]), max_size=20)


TOKEN = re.compile(
    rb"""(?P<name>`[^`]*(?:``[^`]*)*(?:`|\Z))|'(?:[^'\\]|\\.|'')*(?:'|\\?\Z)|"(?:[^"\\]|\\.|"")*(?:"|\\?\Z)"""
)


@settings(max_examples=1000)
@given(BACKQUOTED.map(b"".join), BACKQUOTED.map(b"".join))
def test_texts_of_equal_digest_have_the_same_names_between_the_same_strings(one: bytes, other: bytes) -> None:
    if digest(one) == digest(other):
        assert re.sub(rb"[1 ,?]+", b"?", _shape(one)) == re.sub(rb"[1 ,?]+", b"?", _shape(other))


def _shape(text: bytes) -> bytes:
    """The text with a `?` for each string, found token by token."""
    return TOKEN.sub(
        lambda match: match["name"].replace(b"1", b"l").replace(b" ", b"s") if match["name"] else b"?", text
    )


@pytest.mark.parametrize("unit", [*NASTY, b"'a\\", b"'\"", b"/*'", b"1,", b"(1),", b"1 ", b"`a`", b"`'`", b";"])
def test_time_is_linear_in_the_length(unit: bytes) -> None:
    text = unit * 200_000
    for case in (text, b"'" + text, b"`" + text, b"/* */" + text):
        began = time.process_time()
        split_statements(case)
        without_leading_comments(case)
        try:
            digest(strip(case))
        except Unreadable:
            digest(case)
        assert time.process_time() - began < 10
