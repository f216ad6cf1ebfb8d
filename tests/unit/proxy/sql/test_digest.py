"""Digests as people read them."""

import pytest

from proxy.sql.digest import digest_id, digest_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"SELECT a FROM t WHERE b = 5", "SELECT a FROM t WHERE b = ?"),
        (b"SELECT 'it''s', 1.5e3, .5, 0x41", "SELECT ..."),
        (b"SELECT a FROM t WHERE b IN (1, 2, 3)", "SELECT a FROM t WHERE b IN ( ... )"),
        (b"SELECT @'a b', @c", "SELECT @? , @c"),
        (b"DO 1;", "DO ?"),
    ],
)
def test_literals_are_not_shown(text: bytes, shown: str) -> None:
    assert digest_text(text) == shown


def test_an_id_stands_for_a_digest() -> None:
    one, other = digest_id("SELECT ?"), digest_id("SELECT ? , ?")
    assert one != other
    assert len(one) == len(other) == 16
    assert digest_id("SELECT ?") == one
