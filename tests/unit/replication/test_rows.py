"""Rows as literals: every byte has to arrive, whatever it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.copy.catalog import Column, Table
from replication.copy.rows import Batch, formatters, insert_head, row_literal, select
from topology.servers import Vendor

COLUMNS = tuple(
    Column(name, kind)
    for name, kind in (("i`d", "int"), ("e", "enum"), ("f", "float"), ("b", "bit"), ("t", "text"), ("j", "json"))
)
TABLE = Table("my`db", "t", "InnoDB", COLUMNS, "CREATE TABLE t")


def test_values_that_text_would_spoil_are_read_as_numbers() -> None:
    assert select(TABLE, COLUMNS) == (
        "SELECT `i``d`, CAST(`e` AS UNSIGNED), `f` + 0e0, CAST(`b` AS UNSIGNED), `t`, `j` FROM `my``db`.`t`"
    )


def test_a_table_that_is_locked_is_read_past_the_writers_that_wait() -> None:
    locked = Table("s", "t", "MyISAM", (), "CREATE TABLE t", transactional=False)
    assert select(locked, (Column("id", "int"),)).startswith("SELECT HIGH_PRIORITY ")
    assert "HIGH_PRIORITY" not in select(TABLE, (Column("id", "int"),))


def test_a_versioned_table_is_read_with_its_history() -> None:
    table = Table("d", "t", "InnoDB", COLUMNS[:1], "", versioned=True)
    assert select(table, table.columns).endswith("FROM `d`.`t` FOR SYSTEM_TIME ALL")


@pytest.mark.parametrize(("vendor", "json"), [(Vendor.MYSQL, b"_utf8mb4 x'7b7d'"), (Vendor.MARIADB, b"x'7b7d'")])
def test_each_type_has_its_literal(vendor: Vendor, json: bytes) -> None:
    row = (b"-1", b"3", b"0.5", b"9", b"\x00'\\\xff", b"{}")
    assert row_literal(formatters(vendor, COLUMNS), row) == b"('-1',3,'0.5',9,x'00275cff'," + json + b")"


@pytest.mark.parametrize("vendor", list(Vendor))
def test_null_is_null_and_empty_is_empty(vendor: Vendor) -> None:
    forms = formatters(vendor, COLUMNS)
    assert row_literal(forms, (None,) * 6) == b"(NULL,NULL,NULL,NULL,NULL,NULL)"
    assert row_literal(forms[4:5], (b"",)) == b"(x'')"


@given(st.binary())
def test_any_bytes_become_a_literal_that_holds_them(value: bytes) -> None:
    literal = row_literal(formatters(Vendor.MARIADB, (Column("v", "blob"),)), (value,))
    assert literal.startswith(b"(x'")
    assert bytes.fromhex(literal[3:-2].decode()) == value


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1), st.integers(min_value=1, max_value=200))
def test_batches_hold_all_rows_within_their_limit(rows: list[bytes], limit: int) -> None:
    batches = [Batch(b"", limit)]
    for row in rows:
        if not batches[-1].fits(row):
            batches.append(Batch(b"", limit))
        batches[-1].add(row)
    assert sum(len(batch) for batch in batches) == len(rows)
    assert all(len(batch) == 1 or batch.size <= limit for batch in batches)
    assert b",".join(batch.statement() for batch in batches) == b",".join(rows)


def test_the_insert_names_its_columns() -> None:
    assert insert_head(TABLE, COLUMNS[:2]) == b"INSERT INTO `my``db`.`t` (`i``d`, `e`) VALUES "


def test_counting_on_is_no_change_of_definition() -> None:
    one, two = (Table("d", "t", "InnoDB", (), f"CREATE TABLE t () AUTO_INCREMENT={n} X") for n in (1, 2))
    assert one == two
    assert one != Table("d", "t", "InnoDB", (), "CREATE TABLE t (a INT) AUTO_INCREMENT=1 X")
