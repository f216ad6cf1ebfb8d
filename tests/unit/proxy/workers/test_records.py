"""What workers write into their logs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.workers.records import Kind, Record, decode, encode, record_of_write

NAMES = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=10)
TABLES = st.none() | st.frozensets(st.tuples(NAMES, NAMES), min_size=1, max_size=5)
RECORDS = st.builds(Record, st.just(Kind.WRITE), TABLES) | st.builds(Record, st.sampled_from(list(Kind)))


@given(st.lists(RECORDS, max_size=10), st.integers(0, 2**63))
def test_what_was_written_is_read(records: list[Record], place: int) -> None:
    log = b""
    for record in records:
        log += encode(record, place + len(log))
    assert decode(log, place) == records


@given(st.lists(RECORDS, min_size=1, max_size=3), st.data())
def test_what_was_overwritten_is_noticed(records: list[Record], data: st.DataObject) -> None:
    log = b""
    for record in records:
        log += encode(record, len(log))
    at = data.draw(st.integers(0, len(log) - 1))
    other = data.draw(st.integers(1, 255))
    torn = log[:at] + bytes((log[at] ^ other,)) + log[at + 1 :]
    assert decode(torn, 0) is None


def test_a_record_is_only_good_in_its_place() -> None:
    log = encode(Record(Kind.MARK), 0)
    assert decode(log, 0) == [Record(Kind.MARK)]
    assert decode(log, 65536) is None
    assert decode(log[:-1], 0) is None


@pytest.mark.parametrize("tables", [None, frozenset(), frozenset(("s", f"table{number}") for number in range(500))])
def test_a_write_to_many_tables_or_none_counts_for_all(tables: frozenset[tuple[str, str]] | None) -> None:
    found = decode(encode(record_of_write(tables, defines=False), 0), 0)
    assert found == [Record(Kind.WRITE)]


def test_what_defines_counts_for_all() -> None:
    assert record_of_write(frozenset({("a", "b")}), defines=True) == Record(Kind.DEFINES)
