"""The SQL that compares key ranges."""

from replication.comparison.chunks import Chunk, boundary, checksum, condition, delete, key_text, row_hash, usable_keys
from replication.copy.catalog import Column, Table

ID = Column("id", "int")
NAME = Column("na`me", "varchar")
TABLE = Table("s", "t", "InnoDB", (ID, NAME), "CREATE TABLE ...")


def test_a_whole_table_has_no_condition() -> None:
    assert condition(Chunk(TABLE, (ID,))) == ""
    assert checksum(Chunk(TABLE, ())).endswith(" FROM `s`.`t`")


def test_a_range_leaves_out_its_lower_bound_and_has_its_upper_one() -> None:
    assert condition(Chunk(TABLE, (ID,), (b"-5",), (b"7",))) == " WHERE `id` > -5 AND `id` <= 7"


def test_a_key_of_several_columns_is_compared_column_by_column() -> None:
    lower = condition(Chunk(TABLE, (ID, NAME), (b"1", b"x")))
    assert lower == " WHERE (`id` >= 1 AND ((`id` > 1) OR (`id` = 1 AND `na``me` > 'x')))"
    upper = condition(Chunk(TABLE, (ID, NAME), None, (b"1", b"x")))
    assert upper == " WHERE (`id` <= 1 AND ((`id` < 1) OR (`id` = 1 AND `na``me` <= 'x')))"


def test_the_next_bound_is_found_beyond_the_last() -> None:
    sql = boundary(Chunk(TABLE, (ID,), (b"9",)), 100)
    assert sql == "SELECT `id` FROM `s`.`t` WHERE `id` > 9 ORDER BY `id` LIMIT 1 OFFSET 99"


def test_the_history_of_a_versioned_table_is_compared() -> None:
    table = Table("s", "t", "InnoDB", (ID,), "", versioned=True)
    assert " FROM `s`.`t` FOR SYSTEM_TIME ALL WHERE `id` > 1" in checksum(Chunk(table, (ID,), (b"1",)))


def test_literals_are_compared_in_the_columns_own_collation() -> None:
    keys = (NAME, Column("b", "binary"), Column("d", "date"))
    assert key_text(keys, ("ü'".encode(), b"\x00'", b"2020-01-01")) == "(_utf8mb4 x'c3bc27', x'0027', '2020-01-01')"
    assert key_text((NAME,), (b"it's \\",)) == "_utf8mb4 x'69742773205c'"
    assert key_text((NAME,), (b"",)) == "''"
    assert key_text(keys, None) is None


def test_a_key_is_used_up_to_the_first_column_that_sorts_otherwise() -> None:
    assert usable_keys((ID, Column("e", "enum"), NAME)) == (ID,)
    assert usable_keys((Column("f", "float"),)) == ()


def test_null_and_the_empty_string_and_moved_bounds_read_differently() -> None:
    sql = row_hash((ID, NAME))
    assert "IFNULL(CAST(`id` AS CHAR), 'N')" in sql
    assert "IFNULL(CONCAT(OCTET_LENGTH(`na``me`), ':', CAST(`na``me` AS BINARY)), 'N')" in sql


def test_floats_are_compared_with_all_their_digits_and_bits_as_integers() -> None:
    sql = row_hash((Column("f", "float"), Column("b", "bit"), Column("l", "longblob")))
    assert "IFNULL(`f` + 0e0, 'N'), IFNULL(CAST(`b` AS UNSIGNED), 'N')" in sql
    assert "SHA2(CAST(`l` AS BINARY), 256)" in sql


def test_only_the_range_is_taken_away() -> None:
    assert delete(Chunk(TABLE, (ID,), (b"1",), (b"2",))) == "DELETE FROM `s`.`t` WHERE `id` > 1 AND `id` <= 2"
