"""Strings, comments and numbers as MySQL's lexer cuts them; digests that are equal when only literals differ."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.sql.lexer import ExecutableComment, digest, strip_comments


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        (b"SELECT 1", b"SELECT 1"),
        (b"SELECT 1 -- x", b"SELECT 1  "),
        (b"SELECT 1 --", b"SELECT 1  "),
        (b"SELECT 1 --\tx\n+ 2", b"SELECT 1  \n+ 2"),
        (b"SELECT 1 --\x01x\n+ 2", b"SELECT 1  \n+ 2"),
        (b"SELECT 1 -- x\r+ 2\n+ 3", b"SELECT 1  \n+ 3"),
        (b"SELECT 1 # x\n+ 2", b"SELECT 1  \n+ 2"),
        (b"SELECT 1 #", b"SELECT 1  "),
        (b"SELECT/**/1/*x*/", b"SELECT 1 "),
        (b"SELECT 1 /* a\n'b */ + 2", b"SELECT 1   + 2"),
        (b"SELECT 1 /* /* */ */", b"SELECT 1   */"),
        (b"SELECT 1 /* -- */ + 2", b"SELECT 1   + 2"),
        (b"SELECT 1 -- /*\n+ 2", b"SELECT 1  \n+ 2"),
        (b"SELECT /*+ hint */ 1", b"SELECT   1"),
        (b"SELECT '-- x', \"# y\", `/* z */`", b"SELECT '-- x', \"# y\", `/* z */`"),
        (b"SELECT 'a\\'-- x' -- y", b"SELECT 'a\\'-- x'  "),
        (b"SELECT 'a''-- x' -- y", b"SELECT 'a''-- x'  "),
        (b"SELECT 'a\\\\' -- x'", b"SELECT 'a\\\\'  "),
        (b'SELECT "a\\"# x" # y', b'SELECT "a\\"# x"  '),
        (b"SELECT `a\\` # x`", b"SELECT `a\\`  "),
        (b"SELECT `a``# x` # y", b"SELECT `a``# x`  "),
        (b"SELECT 1 /***/ + 2", b"SELECT 1   + 2"),
        (b"SELECT 6 / * 2 - - 1", b"SELECT 6 / * 2 - - 1"),
        (b"SELECT 'open -- x", b"SELECT 'open -- x"),
        (b"# x", b" "),
    ],
)
def test_comments(text: bytes, stripped: bytes) -> None:
    assert strip_comments(text) == stripped


@pytest.mark.parametrize(
    "text",
    [b"SELECT /*! 1 */", b"SELECT /*!50000 1 */", b"SELECT /*M! 1 */", b"SELECT /*M!100100 1 */", b"SELECT /*m! 1 */",
     b"SELECT 1 /*", b"SELECT 1 /* x", b"SELECT 1 /*/", b"SELECT '' /*!",
     b"SELECT 5--1", b"SELECT 5 --x", b"SELECT --'a'", b"SELECT 1 # /*\n/*! x */", b"SELECT '\\\\' /*! x */ -- '"],
)  # fmt: skip
def test_comments_that_are_code_or_do_not_end(text: bytes) -> None:
    with pytest.raises(ExecutableComment):
        strip_comments(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT 1", "SELECT 200"),
        ("SELECT 1", "SELECT 'x'"),
        ("SELECT 1.5", "SELECT 1e10"),
        ("SELECT 0x1F", "SELECT 0"),
        ("SELECT 'a'", "SELECT 'it''s \\' ; -- # /* `'"),
        ('SELECT "a"', "SELECT 'b'"),
        ("SELECT a IN (1)", "SELECT a IN (1, 2,3)"),
        ("INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (1, 'a'), (2, 'b')"),
        ("SELECT `a`, 1", "SELECT `a`, 'x'"),
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
    ],
)
def test_different_digests(one: str, other: str) -> None:
    assert digest(one.encode()) != digest(other.encode())


NASTY = [
    *(b"'", b'"', b"`", b"\\", b"/*", b"*/", b"-- ", b"--", b"#", b"\n", b"''", b"``", b"\\'"),
    *(b"1", b"0x", b"e", b".", b"a", b"?", b", ", b"(", b")", b"\xff", b"\0", b"@"),
]


@settings(max_examples=500)
@given(st.lists(st.sampled_from(NASTY), max_size=30).map(b"".join))
def test_any_bytes_have_a_digest(text: bytes) -> None:
    try:
        stripped = strip_comments(text)
    except ExecutableComment:
        return
    assert isinstance(digest(stripped), bytes)
    assert len(stripped) <= len(text)


@pytest.mark.parametrize("unit", [*NASTY, b"'a\\", b"'\"", b"/*'", b"1,", b"(1),", b"1 "])
def test_time_is_linear_in_the_length(unit: bytes) -> None:
    text = unit * 200_000
    for case in (text, b"'" + text, b"`" + text, b"/* */" + text):
        began = time.perf_counter()
        try:
            digest(strip_comments(case))
        except ExecutableComment:
            digest(case)
        assert time.perf_counter() - began < 10
