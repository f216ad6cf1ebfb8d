"""Comments: where they end, which of them are code for which server, and which are hints."""

import pytest

from proxy.sql.comments import Bare, ServerVersion, Unreadable, server_version, strip, uncomment
from proxy.sql.lexer import Quoting
from tests.support.statements import MARIADB, MYSQL
from topology.servers import Vendor

UNKNOWN = ServerVersion(Vendor.MYSQL)


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        (b"SELECT 1", b"SELECT 1"),
        (b"SELECT 1 -- x", b"SELECT 1  "),
        (b"SELECT 1 --", b"SELECT 1  "),
        (b"SELECT 1 --\tx\n+ 2", b"SELECT 1  \n+ 2"),
        (b"SELECT 1 --\x01x\n+ 2", b"SELECT 1  \n+ 2"),
        (b"SELECT 1 --\x7fx\n+ 2", b"SELECT 1  \n+ 2"),
        (b"SELECT 1 -- x\r+ 2\n+ 3", b"SELECT 1  \n+ 3"),
        (b"SELECT 1 # x\n+ 2", b"SELECT 1  \n+ 2"),
        (b"SELECT 1 #", b"SELECT 1  "),
        (b"SELECT/**/1/*x*/", b"SELECT 1 "),
        (b"SELECT 1 /* a\n'b */ + 2", b"SELECT 1   + 2"),
        (b"SELECT 1 /*/ x */ + 2", b"SELECT 1   + 2"),
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
        (b"SELECT 5--1", b"SELECT 5- - 1"),
        (b"SELECT '--', 5--'--'", b"SELECT '--', 5- - '--'"),
        (b"SELECT 5*/*c*/3", b"SELECT 5* 3"),
        (b"# x", b" "),
    ],
)
def test_comments(text: bytes, stripped: bytes) -> None:
    assert strip(text) == stripped
    assert uncomment(text, UNKNOWN) == Bare(stripped)


@pytest.mark.parametrize(
    "text",
    [b"SELECT 1 /*", b"SELECT 1 /* x", b"SELECT 1 /*/", b"SELECT 1 /* /* */ */", b"SELECT 1 /*x*/ */ 2",
     b"SELECT 1 # /*\n/* x"],
)  # fmt: skip
def test_comments_that_do_not_end_or_end_twice(text: bytes) -> None:
    with pytest.raises(Unreadable):
        strip(text)


# What MySQL 9.7 and MariaDB 10.11 answered to each, as the text that they must have seen.
CODE = [
    ("SELECT 1 /*! +1 */", "SELECT 1   +1  ", "SELECT 1   +1  "),
    ("SELECT 1 /*!+1*/", "SELECT 1  +1 ", "SELECT 1  +1 "),
    ("SELECT 1 /*!50000 +1 */", "SELECT 1   +1  ", "SELECT 1   +1  "),
    ("SELECT 1 /*!50000+1*/", "SELECT 1  +1 ", "SELECT 1  +1 "),
    ("SELECT 1 /*!50699 +1 */", "SELECT 1   +1  ", "SELECT 1   +1  "),
    ("SELECT 1 /*!50700 +1 */", "SELECT 1   +1  ", None),
    ("SELECT 1 /*!90704 +1 */", "SELECT 1   +1  ", None),
    ("SELECT 1 /*!90705 +1 */", None, None),
    ("SELECT 1 /*!99999 +1 */", None, None),
    ("SELECT 1 /*!090700 +1 */", "SELECT 1   +1  ", None),
    ("SELECT 1 /*!100000 +1 */", None, "SELECT 1   +1  "),
    ("SELECT 1 /*!101119 +1 */", None, "SELECT 1   +1  "),
    ("SELECT 1 /*!101120 +1 */", None, None),
    ("SELECT 1 /*!500001 */", None, None),
    ("SELECT 1 /*!123 +1 */", "SELECT 1  123 +1  ", "SELECT 1  123 +1  "),
    ("SELECT 1 /*!50000 # x\n +1 */", "SELECT 1    \n +1  ", "SELECT 1    \n +1  "),
    ("SELECT 1 /*!50000 -- x */\n +1 */", "SELECT 1    \n +1  ", "SELECT 1    \n +1  "),
    ("SELECT 1 /*!50000 + '*/' */", "SELECT 1   + '*/'  ", "SELECT 1   + '*/'  "),
    ("SELECT 1 /*!50000 + /* x */ 1 */", "SELECT 1   +   1  ", "SELECT 1   +   1  "),
    ("SELECT 1 /*!99999 + /* x */ 1 */", None, None),
    ("SELECT 1 /*!99999 + /*!50000 5 */ 1 */", None, None),
    ("SELECT 1 /*!99999 it's */", None, None),
    ("SELECT 5*/*!50000 2*/", "SELECT 5*  2 ", "SELECT 5*  2 "),
    ("SELECT COUNT/*! */(1)", "SELECT COUNT   (1)", "SELECT COUNT   (1)"),
    ("SELECT '/*!' /*! +1 */", "SELECT '/*!'   +1  ", "SELECT '/*!'   +1  "),
    ("SELECT 1 -- /*!\n+1", "SELECT 1  \n+1", "SELECT 1  \n+1"),
]


@pytest.mark.parametrize(("text", "mysql", "mariadb"), CODE)
def test_comments_that_are_code(text: str, mysql: str | None, mariadb: str | None) -> None:
    for server, seen in ((MYSQL, mysql), (MARIADB, mariadb)):
        bare = uncomment(text.encode(), server)
        assert (bare.text.decode(), bare.skipped) == ("SELECT 1  " if seen is None else seen, seen is None)


@pytest.mark.parametrize(
    ("text", "mariadb", "skipped"),
    [("SELECT 1 /*M! +1 */", "SELECT 1   +1  ", False), ("SELECT 1 /*M!50701 +1 */", "SELECT 1   +1  ", False),
     ("SELECT 1 /*M!100100 +1 */", "SELECT 1   +1  ", False), ("SELECT 1 /*M!110100 +1 */", "SELECT 1  ", True),
     ("SELECT 1 /*m! +1 */", "SELECT 1  ", False)],
)  # fmt: skip
def test_comments_that_are_code_for_mariadb_only(text: str, mariadb: str, skipped: bool) -> None:
    assert uncomment(text.encode(), MARIADB) == Bare(mariadb.encode(), skipped=skipped)
    assert uncomment(text.encode(), MYSQL) == Bare(b"SELECT 1  ")


@pytest.mark.parametrize(
    "text",
    ["SELECT 1 /*!50000 +1", "SELECT 1 /*!99999 +1", "SELECT 1 /*!99999 /* */", "SELECT 1 /*!50000 /*!50000 */ */",
     "SELECT 1 /*!50000 */*/", "SELECT 1 /*!50000 /* x", "SELECT 1 /*!"],
)  # fmt: skip
def test_code_in_comments_that_servers_refuse(text: str) -> None:
    for server in (MYSQL, MARIADB):
        with pytest.raises(Unreadable):
            uncomment(text.encode(), server)


def test_code_is_not_told_from_comments_while_the_version_is_unknown() -> None:
    with pytest.raises(Unreadable):
        uncomment(b"SELECT /*! 1 */", UNKNOWN)
    # The sixth digit may be code.
    with pytest.raises(Unreadable):
        uncomment(b"SELECT /*!080000 1 */", ServerVersion(Vendor.MYSQL, 80020))
    assert uncomment(b"SELECT /*!80000 1 */", ServerVersion(Vendor.MYSQL, 80020)).text == b"SELECT   1  "


def test_quotes_in_comments_that_are_code_have_the_session_s_meaning() -> None:
    text = b"SELECT 1 /*! , 'a\\' */"
    assert uncomment(text, MYSQL, Quoting(ansi=False, backslash=False)).text == b"SELECT 1   , 'a\\'  "
    with pytest.raises(Unreadable):
        uncomment(text, MYSQL)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (b"/* manyreads: primary */ SELECT 1", b"primary"),
        (b"SELECT 1 /*manyreads:replica=dbread2 , max_lag=1s*/", b"replica=dbread2 , max_lag=1s"),
        (b"SELECT 1 /* manyreads: a */ /* x */ /* manyreads: b */", b"a b"),
        (b"SELECT 1 /* x manyreads: a */", b""),
        (b"SELECT 1 -- manyreads: a", b""),
        (b"SELECT '/* manyreads: a */'", b""),
        (b"SELECT 1 /*! + 1 /* manyreads: a */ */", b"a"),
    ],
)
def test_hints(text: bytes, hint: bytes) -> None:
    assert uncomment(text, MYSQL).hint == hint


@pytest.mark.parametrize(
    ("vendor", "greeted", "number"),
    [
        (Vendor.MYSQL, "9.7.4-2", 90704),
        (Vendor.MYSQL, "8.0.36-0ubuntu0.22.04.1", 80036),
        (Vendor.MARIADB, "10.11.19-MariaDB-0+deb12u1-log", 101119),
        (Vendor.MARIADB, "5.5.5-10.6.12-MariaDB", 100612),
        (Vendor.MARIADB, "11.4.2-MariaDB", 110402),
        (Vendor.MYSQL, "", 0),
        (Vendor.MYSQL, "8", 0),
    ],
)
def test_versions(vendor: Vendor, greeted: str, number: int) -> None:
    assert server_version(vendor, greeted) == ServerVersion(vendor, number)
