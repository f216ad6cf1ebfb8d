"""Which definitions count as equal."""

from replication.comparison.definitions import comparable_tables, differing
from replication.copy.catalog import Catalog, Column, StoredObject, Table

EVENT = b"CREATE EVENT `e ON COMPLETION PRESERVE ENABLE` ON SCHEDULE EVERY 1 DAY ON COMPLETION PRESERVE %s DO SELECT 1"


def table(name: str = "t", create: str = "CREATE TABLE t (id int)", engine: str = "InnoDB") -> Table:
    return Table("s", name, engine, (Column("id", "int"),), create)


def catalog(*tables: Table, objects: tuple[StoredObject, ...] = ()) -> Catalog:
    return Catalog((("s", "CREATE DATABASE s"),), tables, (), objects, ())


def problems(primary: Catalog, replica: Catalog) -> list[str]:
    return [f"{each.name} {each.problem}" for each in differing(primary, replica)]


def test_missing_extra_and_different_tables_are_named_and_not_compared() -> None:
    ours = catalog(table("a"), table("b"), table("c"))
    theirs = catalog(table("a"), table("b", "CREATE TABLE b (id bigint)"), table("d"))
    assert problems(ours, theirs) == ["`s`.`b` differs", "`s`.`c` missing", "`s`.`d` extra"]
    assert [each.name for each in comparable_tables(ours, theirs)] == ["a"]


def test_the_marker_of_a_replica_is_no_difference() -> None:
    theirs = Catalog((("manyreads", "CREATE DATABASE manyreads"), *catalog().schemas), (), (), (), ())
    assert problems(catalog(), theirs) == []


def test_the_next_number_and_an_implied_character_set_are_no_difference() -> None:
    ours = catalog(table(create="CREATE TABLE t (a char(1) CHARACTER SET latin1 COLLATE latin1_bin) AUTO_INCREMENT=5"))
    theirs = catalog(table(create="CREATE TABLE t (a char(1) COLLATE latin1_bin) AUTO_INCREMENT=9"))
    assert problems(ours, theirs) == []


def test_an_event_sleeps_on_a_replica() -> None:
    def event(status: bytes) -> StoredObject:
        return StoredObject("EVENT", "s", "e", EVENT.replace(b"%s", status))

    for status in (b"DISABLE ON SLAVE", b"DISABLE ON REPLICA", b"DISABLE"):
        assert problems(catalog(objects=(event(b"ENABLE"),)), catalog(objects=(event(status),))) == []
    other = StoredObject("EVENT", "s", "e", EVENT.replace(b"%s", b"ENABLE").replace(b"1 DAY", b"2 DAY"))
    assert problems(catalog(objects=(event(b"ENABLE"),)), catalog(objects=(other,))) == ["`s`.`e` differs"]


def test_tables_whose_rows_are_elsewhere_are_not_compared() -> None:
    both = catalog(table(engine="FEDERATED"))
    assert comparable_tables(both, both) == []
