"""SET, in all of its forms, and what it changes in the meaning of the statements behind it.

Left out, because the two sides would differ for another reason than the proxy: timeouts (`wait_timeout`,
`max_statement_time` and the like) that depend on how fast the machine is, and `timestamp` and `rand_seed1`, of which
the results of clocks and chance depend.
"""

from collections.abc import Iterator
from typing import Final

from tests.differential.draw import Draw, any_of
from tests.differential.steps import Step, query

_VALUES: Final = {
    "sql_select_limit": ("1", "2", "DEFAULT", "18446744073709551615", "1 + 1", "'x'", "@a"),
    "time_zone": ("'+03:00'", '"-05:30"', "'SYSTEM'", "DEFAULT", "'nowhere'", "NULL", "CONCAT('+0', '4:00')"),
    "group_concat_max_len": ("4", "8", "DEFAULT", "4 * 2", "-1", "(SELECT 10)"),
    "div_precision_increment": ("0", "2", "8", "DEFAULT", "99"),
    "default_week_format": ("1", "3", "DEFAULT", "77"),
    "lc_time_names": ("'de_DE'", "'fr_FR'", "de_DE", "DEFAULT", "'xx_XX'", "1"),
    "sql_safe_updates": ("1", "0", "ON", "OFF", "TRUE", "DEFAULT"),
    "foreign_key_checks": ("0", "1", "OFF", "DEFAULT"),
    "unique_checks": ("0", "1", "DEFAULT", "NULL"),
    "sql_notes": ("0", "1", "DEFAULT"),
    "sql_warnings": ("0", "1"),
    "max_error_count": ("0", "1", "DEFAULT"),
    "sql_auto_is_null": ("0", "1", "DEFAULT"),
    "auto_increment_increment": ("2", "5", "1", "DEFAULT"),
    "auto_increment_offset": ("2", "1", "DEFAULT"),
    "insert_id": ("50", "DEFAULT"),
    "last_insert_id": ("33", "DEFAULT"),
    "identity": ("34",),
    "completion_type": ("1", "0", "CHAIN", "'NO_CHAIN'", "DEFAULT"),
    "character_set_client": ("latin1", "utf8mb4", "'latin1'", "DEFAULT", "NULL", "ucs2"),
    "character_set_results": ("latin1", "utf8mb4", "NULL", "DEFAULT", "nothing"),
    "character_set_connection": ("latin1", "utf8mb4", "DEFAULT"),
    "collation_connection": ("latin1_swedish_ci", "utf8mb4_bin", "'utf8mb4_unicode_ci'", "DEFAULT", "none_ci"),
    "default_storage_engine": ("MyISAM", "InnoDB", "'MEMORY'", "DEFAULT", "nothing"),
    "optimizer_switch": ("'mrr=off'", "DEFAULT", "'nothing=on'"),
    "sql_big_selects": ("0", "1"),
    "max_sort_length": ("64", "1024", "DEFAULT"),
    "transaction_isolation": ("'READ-COMMITTED'", "'SERIALIZABLE'", "DEFAULT", "'none'", "'repeatable-read'"),
    "transaction_read_only": ("1", "0", "ON", "OFF", "DEFAULT"),
    "autocommit": ("0", "1", "ON", "OFF", "DEFAULT", "2", "@a"),
    "no_such_variable": ("1",),
    "version": ("1",),
    "sql_log_bin": ("0", "1"),
}
_MODES: Final = (
    *("ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT", "ANSI", "STRICT_TRANS_TABLES", "", "IGNORE_SPACE"),
    *("HIGH_NOT_PRECEDENCE", "NO_UNSIGNED_SUBTRACTION", "ANSI_QUOTES,PIPES_AS_CONCAT", "TRADITIONAL", "NO_SUCH_MODE"),
    *("NO_AUTO_VALUE_ON_ZERO", "NO_ZERO_DATE", "REAL_AS_FLOAT", "ONLY_FULL_GROUP_BY", "PAD_CHAR_TO_FULL_LENGTH"),
)
_CHARSETS: Final = ("utf8mb4", "latin1", "'latin1'", "gbk", "DEFAULT", "utf8mb3", "ucs2", "binary", "nothing", "sjis")
_FORMS: Final = ("{}", "SESSION {}", "LOCAL {}", "@@{}", "@@session.{}", "@@local.{}", "`{}`", "@@SESSION.`{}`")
_GLOBALS: Final = ("GLOBAL sql_select_limit", "@@global.time_zone", "PERSIST sql_notes")
# Here to be read by name; see `tests.differential.reads`.
SHOWN: Final = tuple(name for name in _VALUES if name not in ("no_such_variable", "version", "insert_id"))


def _assignment(draw: Draw) -> str:
    name = draw.one(tuple(_VALUES))
    form = draw.one(_FORMS) if draw.chance(0.6) else "{}"
    return f"{form.format(name)} {draw.one(('=', ':='))} {draw.one(_VALUES[name])}"


def _item(draw: Draw) -> str:
    drawn = draw.random.random()
    if drawn < 0.7:
        return _assignment(draw)
    if drawn < 0.85:
        return f"@{draw.one('abc')} = {draw.one(('1', 'NULL', '@b + 1', '@@sql_select_limit', '-1.5e3'))}"
    if drawn < 0.95:
        return f"NAMES {draw.one(_CHARSETS)}"
    return f"{draw.one(_GLOBALS)} = 1"


def variable(draw: Draw) -> Iterator[Step]:
    """One variable, or several things in one SET."""
    yield query("SET " + ", ".join(_item(draw) for _ in range(draw.one((1, 1, 1, 1, 2, 3)))))


def valid_variable(draw: Draw) -> Iterator[Step]:
    """One variable that reads show, with a value that is taken."""
    name = draw.one(
        ("time_zone", "sql_select_limit", "group_concat_max_len", "lc_time_names", "div_precision_increment")
    )
    yield query(f"SET {name} = {_VALUES[name][0]}")


def set_back(draw: Draw) -> Iterator[Step]:
    """The same variable twice or more, the last time to its default."""
    name = draw.one(tuple(_VALUES))
    yield query(f"SET {name} = {draw.one(_VALUES[name])}")
    yield query(f"SET {draw.one(('', 'SESSION '))}{name} = DEFAULT")


def names(draw: Draw) -> Iterator[Step]:
    """Character sets, all in one."""
    what = draw.one(("NAMES", "NAMES", "CHARACTER SET", "CHARSET"))
    collation = " COLLATE utf8mb4_bin" if what == "NAMES" and draw.chance(0.3) else ""
    yield query(f"SET {what} {draw.one(_CHARSETS)}{collation}")
    if draw.chance(0.7):
        yield query(
            draw.one(
                (
                    "SELECT 'é', LENGTH('é'), HEX('é'), id FROM item ORDER BY id",
                    "SELECT value, 'é' = value FROM item ORDER BY id",
                    "SELECT CHARSET('a'), COLLATION('a'), CHARSET(@a)",
                    # The second byte is a backslash, or the end of a letter.
                    "SELECT '\udcbf\\', id AS x FROM item ORDER BY id -- '",
                    "SELECT @@character_set_client, @@character_set_results, @@collation_connection FROM item LIMIT 1",
                )
            )
        )


def modes(draw: Draw) -> Iterator[Step]:
    """sql_mode, and a statement that means something else in some of them."""
    value = f"'{draw.one(_MODES)}'" if draw.chance(0.85) else draw.one(("DEFAULT", "CONCAT(@@sql_mode, ',ANSI')", "4"))
    yield query(f"SET {draw.one(('', 'SESSION ', '@@'))}sql_mode = {value}")
    if draw.chance(0.8):
        yield query(_depends_on_mode(draw))


_IN_MODES: Final = (
    'SELECT "value" FROM item ORDER BY id',
    "SELECT 'a\\\\b', id FROM item ORDER BY id",
    "SELECT '\\\\' AS a, id AS b FROM item ORDER BY id -- ', 1'",
    "SELECT 'a' || 'b', id FROM item ORDER BY id",
    "SELECT COUNT (*) FROM item",
    "SELECT NOT 1 BETWEEN -5 AND 5 FROM item",
    'INSERT INTO item (value) VALUES ("text")',
    "SET @a = 'x\\\\y', @b = \"z\"",
    "SELECT CAST(1 AS UNSIGNED) - 2 FROM item",
    "PREPARE p1 FROM \"SELECT id, 'x' FROM item\"",
    "SELECT id FROM item GROUP BY value ORDER BY id",
    "INSERT INTO item (id, value) VALUES (0, 'zero')",
)


def _depends_on_mode(draw: Draw) -> str:
    return draw.one(_IN_MODES)


depends_on_mode = any_of(*_IN_MODES)
roles = any_of(
    *("SET ROLE df_role", "SET ROLE NONE", "SET ROLE 'df_role'", "SET ROLE no_such_role", "SET ROLE ALL"),
    *("SELECT CURRENT_ROLE()", "SELECT * FROM of_role_~.item", "SET ROLE DEFAULT"),
)
set_statement = any_of(
    "SET STATEMENT sql_select_limit = 1 FOR SELECT id FROM item ORDER BY id",
    "SET STATEMENT time_zone = '+09:00' FOR SELECT @@time_zone",
    "SET STATEMENT sql_select_limit = 1 FOR SET @a = 5",
)
