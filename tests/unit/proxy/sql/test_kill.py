"""KILL: whom a text names, and the text for another id."""

import pytest

from proxy.sql.kill import KILL, Kill, parse_kill
from proxy.wire.constants import CLIENT_QUERY_ATTRIBUTES
from tests.support.statements import SERVERS, classified


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"KILL 5", Kill(5, True, b"KILL")),
        (b"kill  connection\n17 ;", Kill(17, True, b"kill  connection")),
        (b"KILL QUERY 5", Kill(5, False, b"KILL QUERY")),
        (b"Kill Hard Query 5", Kill(5, False, b"Kill Hard Query")),
        (b"KILL SOFT 5", Kill(5, True, b"KILL SOFT")),
        (b"KILL HARD CONNECTION 5", Kill(5, True, b"KILL HARD CONNECTION")),
        (b"KILL '5'", Kill(5, True, b"KILL")),
        (b"/* why */ KILL/**/QUERY -- now\n 5 # ends", Kill(5, False, b"KILL QUERY")),
        (b"KILL QUERY CONNECTION_ID()", Kill(None, False, b"KILL QUERY")),
        (b"KILL 18446744073709551615", Kill(2**64 - 1, True, b"KILL")),
    ],
)
def test_texts_that_name_a_connection(text: bytes, expected: Kill) -> None:
    assert parse_kill(text) == expected
    for server in SERVERS:
        assert classified(text, server).reason == KILL


@pytest.mark.parametrize(
    "text",
    [b"KILL", b"KILL QUERY", b"KILL QUERY ID 5", b"KILL USER app", b"KILL SOFT USER app", b"KILL @v", b"KILL 5 + 1",
     b"KILL 5; SELECT 1", b"KILLER 5", b"KILL5", b"KILL -5", b"KILL 5a", b"SELECT 'KILL 5'", b"KILL ?",
     b"KILL 123456789012345678901", b"KILL QUERY QUERY 5", b"KILL HARD SOFT 5"],
)  # fmt: skip
def test_texts_that_are_for_the_server_as_they_are(text: bytes) -> None:
    assert parse_kill(text) is None


def test_the_value_of_a_parameter_names_a_connection() -> None:
    assert parse_kill(b"KILL QUERY ?", 7) == Kill(7, False, b"KILL QUERY")
    assert parse_kill(b"KILL QUERY 5", 7) == Kill(5, False, b"KILL QUERY")


def test_the_same_command_for_a_thread_of_the_server() -> None:
    soft = Kill(1 << 30, False, b"KILL SOFT QUERY")
    assert soft.packet(12, 0) == b"\x13\0\0\0\x03KILL SOFT QUERY 12"
    assert soft.packet(12, CLIENT_QUERY_ATTRIBUTES) == b"\x15\0\0\0\x03\0\1KILL SOFT QUERY 12"
    for flags in (0, CLIENT_QUERY_ATTRIBUTES):
        assert Kill(1 << 30).packet(12, flags) == b"\5\0\0\0\x0c\x0c\0\0\0"
        assert Kill(1 << 30).packet(1 << 32, flags) == b"\5\0\0\0\x0c\0\0\0\0"
