"""The names and statements of a copy that is made beside the live tables."""

from dataclasses import replace

from replication.copy.catalog import Catalog, Sequence, Table
from replication.copy.shadow import aside, dangling, exchange, shadow, shadow_catalog

PLAIN = Table("app", "t", "InnoDB", (), "CREATE TABLE `t` (\n  `id` int\n)")
CHILD = Table(
    "app",
    "child",
    "InnoDB",
    (),
    "CREATE TABLE `child` (\n  `c` int COMMENT ' REFERENCES `other`.`p` (',\n"
    "  CONSTRAINT `one` FOREIGN KEY (`c`) REFERENCES `t` (`id`),\n"
    "  CONSTRAINT `two` FOREIGN KEY (`c`) REFERENCES `other`.`p``q` (`id`) ON DELETE CASCADE\n)",
)
PARENT = Table("other", "p`q", "InnoDB", (), "CREATE TABLE `p``q` (\n  `id` int\n)")
MERGE = Table("app", "both", "MRG_MyISAM", (), "CREATE TABLE `both` (\n  `id` int\n)")
SCHEMAS = (
    ("app", "CREATE DATABASE `app` /*!40100 DEFAULT CHARACTER SET utf8mb4 */"),
    ("other", "CREATE DATABASE `other`"),
)
CATALOG = Catalog(SCHEMAS, (PLAIN, CHILD, PARENT, MERGE), (Sequence("app", "s", "CREATE SEQUENCE `s`"),), (), ())
EMPTY = Catalog((), (), (), (), ())


def test_the_shadow_of_the_longest_name_is_a_name_too() -> None:
    names = {shadow("x" * 64), shadow("y" * 64), aside("x" * 64), aside("y" * 64)}
    assert len(names) == 4
    assert max(map(len, names)) <= 64


def test_a_shadow_schema_has_the_settings_of_its_own() -> None:
    assert shadow_catalog(CATALOG).schemas[0] == (
        shadow("app"),
        f"CREATE DATABASE `{shadow('app')}` /*!40100 DEFAULT CHARACTER SET utf8mb4 */",
    )


def test_foreign_keys_lead_to_the_other_shadow_and_comments_stay() -> None:
    child = next(table for table in shadow_catalog(CATALOG).tables if table.name == "child")
    assert child.create == CHILD.create.replace(") REFERENCES `other`", f") REFERENCES `{shadow('other')}`")
    assert "COMMENT ' REFERENCES `other`.`p` ('" in child.definition


def test_tables_whose_rows_live_elsewhere_have_no_shadow() -> None:
    assert "both" not in {table.name for table in shadow_catalog(CATALOG).tables}
    assert "`both` TO `app`" not in exchange(EMPTY, CATALOG)


def test_all_that_is_live_goes_before_anything_comes() -> None:
    live = replace(EMPTY, tables=(PLAIN, MERGE), sequences=CATALOG.sequences)
    assert exchange(live, replace(CATALOG, tables=(PLAIN, PARENT))) == (
        f"RENAME TABLE `app`.`t` TO `{aside('app')}`.`t`, `app`.`both` TO `{aside('app')}`.`both`, "
        f"`app`.`s` TO `{aside('app')}`.`s`, `{shadow('app')}`.`t` TO `app`.`t`, "
        f"`{shadow('other')}`.`p``q` TO `other`.`p``q`, `{shadow('app')}`.`s` TO `app`.`s`"
    )


def test_nothing_is_exchanged_for_nothing() -> None:
    assert exchange(EMPTY, EMPTY) == ""


def test_a_reference_to_a_table_that_is_not_there_is_found() -> None:
    assert dangling(CATALOG) == ()
    assert dangling(replace(CATALOG, tables=(PLAIN, CHILD))) == ("`app`.`child`",)
    assert dangling(replace(CATALOG, tables=(CHILD, PARENT))) == ("`app`.`child`",)
