"""The SQL of lines and LOAD DATA."""

import pytest

from replication.comparison.chunks import Chunk
from replication.copy.catalog import Column, Table
from replication.copy.lines import is_plain, load_lines, rows_in_a_range, select_lines
from topology.servers import Vendor


def table(*columns: tuple[str, str] | tuple[str, str, bool], row_length: int = 100) -> Table:
    return Table("app", "t", "InnoDB", tuple(Column(*each) for each in columns), "", row_length=row_length)


def test_a_range_is_read_as_one_value_with_its_number_of_rows() -> None:
    found = table(("id", "int", False), ("v", "varchar"))
    sql = select_lines(Vendor.MARIADB, Chunk(found, (Column("id", "int"),), (b"5",), (b"9",)), escaped=True)
    assert sql.startswith(
        "SELECT COUNT(*), 0 + COUNT(*) - COUNT(`v`), GROUP_CONCAT(CONCAT_WS(x'09', `id`, IF(`v` IS NULL, '\\\\N', "
    )
    assert sql.endswith(" SEPARATOR '\\n') FROM `app`.`t` WHERE `id` > 5 AND `id` <= 9")


def test_bytes_that_mean_something_in_a_line_are_escaped_the_backslash_first() -> None:
    sql = select_lines(Vendor.MYSQL, Chunk(table(("v", "longblob")), ()), escaped=True)
    wanted = "REPLACE(REPLACE(REPLACE(CAST(`v` AS BINARY), x'5C', x'5C5C'), x'09', x'5C74'), x'0A', x'5C6E')"
    assert f"IF(`v` IS NULL, '\\\\N', {wanted})" in sql


def test_nothing_is_escaped_as_long_as_no_text_needs_it() -> None:
    sql = select_lines(Vendor.MYSQL, Chunk(table(("v", "longblob")), ()), escaped=False)
    assert "IF(`v` IS NULL, '\\\\N', CAST(`v` AS BINARY))" in sql


@pytest.mark.parametrize(
    ("lines", "nulls", "plain"),
    [
        (b"1\tone\n2\t\\N", 1, True),
        (b"1\tone\n2\ttwo", 0, True),
        # A text of these two characters looks like NULL.
        (b"1\tone\n2\t\\N", 0, False),
        (b"1\tback\\slash\n2\t\\N", 1, False),
        (b"1\tt\tab\n2\ttwo", 0, False),
        (b"1\tnew\nline\n2\ttwo", 0, False),
        # A value that a function made NULL is left out together with its tab.
        (b"1\n2\ttwo", 0, False),
    ],
)
def test_plain_lines_hold_no_separator_but_ours(lines: bytes, nulls: int, plain: bool) -> None:
    assert is_plain(lines, 2, nulls, 2) is plain


@pytest.mark.parametrize(
    ("data_type", "read"),
    [
        ("float", "CAST(`v` + 0e0 AS CHAR)"),
        ("double", "CAST(`v` AS CHAR)"),
        ("bit", "CAST(CAST(`v` AS UNSIGNED) AS CHAR)"),
        ("datetime", "CAST(`v` AS CHAR)"),
    ],
)
def test_values_that_text_would_spoil_are_read_otherwise(data_type: str, read: str) -> None:
    assert f"IF(`v` IS NULL, '\\\\N', {read})" in select_lines(
        Vendor.MARIADB, Chunk(table(("v", data_type)), ()), escaped=False
    )


@pytest.mark.parametrize(
    ("vendor", "data_type", "places"),
    [
        (Vendor.MYSQL, "varchar", "(`id`, `v`)"),
        (Vendor.MARIADB, "enum", "(`id`, @v1) SET `v` = CAST(@v1 AS UNSIGNED)"),
        (Vendor.MYSQL, "json", "(`id`, @v1) SET `v` = CONVERT(@v1 USING utf8mb4)"),
        (Vendor.MARIADB, "uuid", "(`id`, @v1) SET `v` = CONVERT(@v1 USING utf8mb4)"),
    ],
)
def test_lines_are_stored_as_they_were_written(vendor: Vendor, data_type: str, places: str) -> None:
    sql = load_lines(vendor, table(("id", "int"), ("v", data_type)))
    assert sql.startswith("LOAD DATA LOCAL INFILE 'rows' INTO TABLE `app`.`t` CHARACTER SET binary ")
    assert sql.endswith(f"FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' {places}")


@pytest.mark.parametrize(("row_length", "rows"), [(0, 20_000), (10, 20_000), (1000, 1000), (90_000, 11), (200_000, 0)])
def test_a_range_is_about_a_megabyte(row_length: int, rows: int) -> None:
    assert rows_in_a_range(table(("id", "int"), row_length=row_length)) == rows
