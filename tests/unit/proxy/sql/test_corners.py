"""Corners of the small modules that the tables of statements do not reach."""

import pytest
from sqlglot.dialects.mysql import MySQL

from proxy.sql.classify import MAX_PARSED
from proxy.sql.effects import Hold, Pin, SetUserVariable
from proxy.sql.kill import parse_kill
from proxy.sql.meaning import Meaning
from proxy.sql.mentions import NAMED_LOCK, plain_lock_calls
from proxy.sql.own import show_proxy
from proxy.sql.prepares import with_parameters
from proxy.sql.reads import reason_of_words
from proxy.sql.statement import PRIMARY
from proxy.sql.variables import may_be_server_local
from proxy.sql.words import Words, unquoted_name
from tests.support.statements import cache_of, classified, facts


@pytest.mark.parametrize(
    ("begin", "effects"),
    [
        (b"INSERT INTO t VALUES ('", (Hold("too-large"),)),
        (b"INSERT INTO t VALUES (@a, '", (Hold("too-large"), SetUserVariable(""))),
        (b"INSERT INTO t VALUES (GET_LOCK('a', 1), '", (Hold("too-large"), Pin(NAMED_LOCK, ""))),
    ],
)
def test_what_a_large_text_may_leave_behind(begin: bytes, effects: tuple[object, ...]) -> None:
    assert classified(begin + b"x" * MAX_PARSED + b"')").effects == effects


def test_of_a_large_text_that_begins_with_another_word_nothing_is_known() -> None:
    large = classified(b"FROBNICATE '" + b"x" * MAX_PARSED + b"'")
    assert (large.kind, large.reason, large.variables) == (PRIMARY, "too-large", None)


def test_a_name_that_is_not_utf_8_is_none() -> None:
    assert (unquoted_name("a\ufffd"), unquoted_name("`a\ufffd`"), unquoted_name("`a``b`")) == ("", "", "a`b")


def test_a_kill_that_cannot_be_read_names_no_session() -> None:
    assert parse_kill(b"KILL 5 /*! + 1") is None


def test_a_character_set_that_is_not_known_is_read_as_ascii() -> None:
    assert (Meaning(codec="?").python_codec, Meaning().python_codec) == ("ascii", "utf-8")


@pytest.mark.parametrize("call", ["GET_LOCK('a')", "GET_LOCK(a, 1)", "GET_LOCK('a', b)"])
def test_a_lock_call_that_is_not_plain(call: str) -> None:
    assert plain_lock_calls(Words(call)) is None


@pytest.mark.parametrize("text", [b"SHOW PROXY DIGESTS LIKE abc", b"SHOW PROXY DIGESTS LIKE 'a", b"SHOW PROXY NOTHING"])
def test_what_only_begins_like_a_show_of_the_proxy(text: bytes) -> None:
    assert show_proxy(text) is None


def test_an_execution_with_parameters_that_are_not_told() -> None:
    assert with_parameters(classified("SELECT ?"), None).variables is None


def test_a_share_lock_is_found_by_its_words_alone() -> None:
    text = "SELECT 1 FOR SHARE"
    assert reason_of_words(text, MySQL().tokenize(text)) == "locking-read"


@pytest.mark.parametrize("value", ["-'a'", "+a"])
def test_a_sign_makes_a_literal_of_a_number_only(value: str) -> None:
    assert facts(classified(f"SET time_zone = {value}")).startswith("PRIMARY|set-expression|")


@pytest.mark.parametrize(
    ("pattern", "may"), [("innodb_buffer", True), ("innodb", False), ("inno%", True), ("x%", False)]
)
def test_patterns_that_match_what_tells_about_the_server(pattern: str, may: bool) -> None:
    assert may_be_server_local(pattern) is may


def test_a_list_of_tables_may_end_with_something_else() -> None:
    assert facts(classified("DROP TABLE a, 'b'")) == "PRIMARY|write|unpin temp-table a|W:a|-"


def test_all_that_was_counted() -> None:
    cache = cache_of()
    one = cache.statement(b"SELECT 1")
    assert one.tally in cache.tallies()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT a FROM t PROCEDURE ANALYSE()", "word:PROCEDURE"),
        ("SELECT a INTO @b FROM t", "word:INTO"),
        ("SELECT a REPLACE b", "word:REPLACE"),
        ("SELECT REPLACE(a, b, c), t.update, `INTO`, 'LOCK' FROM t", ""),
    ],
)
def test_words_that_no_read_can_hold_are_found_behind_the_parsers_back(text: str, reason: str) -> None:
    assert reason_of_words(text, MySQL().tokenize(text)) == reason
