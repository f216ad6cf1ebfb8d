"""Digests as people read them."""

import pytest

from proxy.sql.digest import digest_id, digest_text
from proxy.sql.lexer import digest


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("select a from t where b = 5", "SELECT `a` FROM `t` WHERE `b` = ?"),
        ("SELECT 'it''s', 1.5e3, .5, 0x41", "SELECT ?, ..."),
        (
            "SELECT a FROM t WHERE b IN (1, 2, 3) AND c IN (?)",
            "SELECT `a` FROM `t` WHERE `b` IN (...) AND `c` IN (...)",
        ),
        ("SELECT @'a b', @c", "SELECT @? , @?"),
        ("DO 1;", "DO ?"),
        ("DO 1a, 5 + 1", "DO `1a` , ? + ?"),
        ("DO (1), f(NULL)", "DO (?) , `f` (?)"),
        ("INSERT t VALUES (1, 'a'), (2, 'b')", "INSERT `t` VALUES (...) /* , ... */"),
        ("INSERT t VALUES (-1, N'a', null), (1, 2, 3)", "INSERT `t` VALUES (...) /* , ... */"),
        ("SELECT a IS NULL, NULL, e->>'$.a'", "SELECT `a` IS NULL , ? , `e` ->> ?"),
        ("SELECT a < = b, a<=b, a - -b", "SELECT `a` < = `b` , `a` <= `b` , `a` - - `b`"),
        ("SELECT count(*), count (a), count FROM t LIMIT 1, 2", None),
        ("SELECT @@global.a, @@b", "SELECT @@GLOBAL . `a` , @@`b`"),
        ("SELECT _latin1'x', t.`select`, t.*", "SELECT (_charset) ? , `t` . `select` , `t` . *"),
        ("DESC t", "EXPLAIN `t`"),
        ("SELECT DISTINCT a FROM t ORDER BY a DESC", "SELECT DISTINCTROW `a` FROM `t` ORDER BY `a` DESC"),
    ],
)
def test_literals_are_not_shown(text: str, shown: str | None) -> None:
    wanted = "SELECT COUNT ( * ) , `count` ( `a` ) , `count` FROM `t` LIMIT ?, ..." if shown is None else shown
    assert digest_text(digest(text.encode())) == wanted


def test_an_id_stands_for_a_digest() -> None:
    one, other = digest_id("SELECT ?"), digest_id("SELECT ? , ?")
    assert one != other
    assert len(one) == len(other) == 16
    assert digest_id("SELECT ?") == one
