"""Texts of sessions in which quotes, backslashes, spaces or bytes mean something else."""

import pytest

from proxy.sql import meaning as module
from proxy.sql.comments import Unreadable
from proxy.sql.meaning import DEFAULT_MEANING, Meaning, meaning_of


@pytest.mark.parametrize(
    ("mode", "charset", "meaning"),
    [
        ("", "utf8mb4", DEFAULT_MEANING),
        ("ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,PIPES_AS_CONCAT", "utf8mb3", DEFAULT_MEANING),
        ("ansi_quotes", "utf8", Meaning(ansi_quotes=True)),
        ("IGNORE_SPACE, STRICT_ALL_TABLES", "ascii", Meaning(ignore_space=True)),
        ("ANSI", "binary", Meaning(ansi_quotes=True, ignore_space=True)),
        ("ORACLE", "utf8mb4", Meaning(ansi_quotes=True, ignore_space=True, foreign=True)),
        ("", "latin1", Meaning(codec="cp1252")),
        ("", "GBK", Meaning(codec="gbk")),
        ("", "swe7", Meaning(codec="?")),
        ("", "", Meaning(codec="?")),
    ],
)
def test_sql_mode_and_character_set(mode: str, charset: str, meaning: Meaning) -> None:
    assert meaning_of(mode, charset, False) == meaning


def test_backslashes_are_told_by_the_status() -> None:
    assert meaning_of("NO_BACKSLASH_ESCAPES", "utf8mb4", False) == DEFAULT_MEANING
    assert meaning_of("", "utf8mb4", True) == Meaning(backslash_escapes=False)


ANSI, BARE, SPACED = Meaning(ansi_quotes=True), Meaning(backslash_escapes=False), Meaning(ignore_space=True)


@pytest.mark.parametrize(
    ("meaning", "text", "canonical"),
    [
        (DEFAULT_MEANING, b"""SELECT "a", 'b\\'c' """, b"""SELECT "a", 'b\\'c' """),
        (ANSI, b"""SELECT "a", 'b"c', `d"e`""", b"""SELECT `a`, 'b"c', `d"e`"""),
        (ANSI, b'SELECT "a""b`c", "d\\"', b'SELECT `a"b``c`, `d\\`'),
        (ANSI, b"SELECT 'a\\'b\"c'", b"SELECT 'a\\'b\"c'"),
        (BARE, b"""SELECT 'a\\', "b\\", `c\\`""", b"""SELECT 'a\\\\', "b\\\\", `c\\`"""),
        (BARE, b"SELECT 'it''s'", b"SELECT 'it''s'"),
        (Meaning(True, False), b"""SELECT "a\\", 'b\\'""", b"""SELECT `a\\`, 'b\\\\'"""),
        (SPACED, b"SELECT count (*), MAX\n(a), f (1)", b"SELECT count(*), MAX(a), f (1)"),
        (SPACED, b"""SELECT 'max (a)', "sum (b)", `min (c)`""", b"""SELECT 'max (a)', "sum (b)", `min (c)`"""),
        (SPACED, b"SELECT 'it\\'s', max (a)", b"SELECT 'it\\'s', max(a)"),
    ],
)
def test_the_same_text_in_the_default_meaning(meaning: Meaning, text: bytes, canonical: bytes) -> None:
    assert meaning.canonical(text) == canonical


@pytest.mark.parametrize("text", [b'SELECT "a', b'SELECT "'])
def test_a_name_that_does_not_end(text: bytes) -> None:
    with pytest.raises(Unreadable):
        ANSI.canonical(text)


@pytest.mark.parametrize(
    ("charset", "text", "decoded"),
    [
        ("latin1", b"SELECT '\xe9', `\x8a`", "SELECT 'é', `Š`".encode()),
        ("latin1", b"INSERT INTO t VALUES ('\x81\xe9')", b"INSERT INTO t VALUES ('\x81\xc3\xa9')"),
        ("gbk", b"SELECT '\xbf\x5c'", "SELECT '縗'".encode()),
        ("sjis", b"SELECT '\x95\x5c', '\xb1'", "SELECT '表', 'ｱ'".encode()),
        ("big5", b"SELECT '\xa5\x5c'", "SELECT '功'".encode()),
        ("gb18030", b"SELECT '\x81\x30\x81\x30'", "SELECT '\x80'".encode()),
        ("koi8r", b"SELECT '\xc4'", "SELECT 'д'".encode()),
        ("utf8mb4", b"SELECT '\xff'", b"SELECT '\xff'"),
        ("swe7", b"SELECT 1", b"SELECT 1"),
    ],
)
def test_other_character_sets(charset: str, text: bytes, decoded: bytes) -> None:
    assert meaning_of("", charset, False).decoded(text) == decoded


@pytest.mark.parametrize(
    ("charset", "text"), [("gbk", b"SELECT '\xfe\x5c'"), ("gbk", b"'\xff'"), ("swe7", b"'\xe9'"), ("", b"'\xe9'")]
)
def test_characters_that_are_not_known(charset: str, text: bytes) -> None:
    with pytest.raises(Unreadable):
        meaning_of("", charset, False).decoded(text)


def test_a_name_goes_back_to_its_character_set() -> None:
    assert meaning_of("", "gbk", False).encoded("縗") == b"\xbf\x5c"
    assert DEFAULT_MEANING.encoded("é") == "é".encode()
    assert meaning_of("", "swe7", False).encoded("a") == b"a"


@pytest.mark.parametrize("codec", sorted({*module._SINGLE_BYTE.values(), *module._MULTI_BYTE.values()}))
def test_ascii_is_the_same_in_each_character_set(codec: str) -> None:
    assert bytes(range(128)).decode(codec).encode() == bytes(range(128))
