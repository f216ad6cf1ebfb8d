"""Memory that several processes share: here several views of it."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from proxy.workers.board import CAPACITY, Board, Reading, new_memory
from proxy.workers.records import Kind, Record


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = new_memory(3)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def board(memory: int) -> Iterator[Board]:
    made = Board(memory, 3)
    yield made
    made.close()


def of(table: str) -> Record:
    return Record(Kind.WRITE, frozenset({("s", table)}))


def test_others_read_what_one_writes(memory: int, board: Board) -> None:
    other = Board(memory, 3)
    reading = Reading(other, 1)
    was_behind = [reading.behind]
    board.append(0, of("a"))
    board.append(2, of("b"))
    was_behind.append(reading.behind)
    assert list(reading.news()) == [[of("a")], [of("b")]]
    assert [*was_behind, reading.behind] == [False, True, False]
    assert reading.vector == [board.end(0), 0, board.end(2)]
    assert list(reading.news()) == []
    other.close()


def test_nobody_reads_its_own_log(board: Board) -> None:
    reading = Reading(board, 0)
    board.append(0, of("a"))
    assert list(reading.news()) == []
    assert reading.vector[0] == board.end(0)


def test_a_log_goes_round(board: Board) -> None:
    reading = Reading(board, None)
    for number in range(10_000):
        record = of(f"table{number}")
        board.append(1, record)
        assert list(reading.news()) == [[record]]
    assert board.end(1) > CAPACITY


def test_who_is_too_far_behind_is_told_so(board: Board) -> None:
    reading = Reading(board, None)
    while board.end(0) <= CAPACITY:
        board.append(0, of("a"))
    assert list(reading.news()) == [None]
    board.append(0, of("b"))
    assert list(reading.news()) == [[of("b")]]


def test_who_begins_later_reads_what_comes_then(board: Board) -> None:
    board.append(0, of("before"))
    reading = Reading(board, None)
    board.append(0, of("after"))
    assert list(reading.news()) == [[of("after")]]


def test_counts_are_those_of_slots(board: Board) -> None:
    board.define(1, 2)
    board.count_clients(0, 5)
    board.count_clients(2, 7)
    board.count_welcomed(2, 9)
    assert [board.defining(slot) for slot in range(3)] == [0, 2, 0]
    assert [board.clients(slot) for slot in range(3)] == [5, 0, 7]
    assert board.all_clients() == 12
    assert board.welcomed(2) == 9


_OTHER = """
import sys
from proxy.workers.board import Board
from proxy.workers.records import Kind, Record
board = Board(int(sys.argv[1]), 3)
for number in range(20000):
    board.append(1, Record(Kind.WRITE, frozenset({("s", f"t{number}")})))
print("done")
"""


def test_nothing_is_read_that_was_not_written(memory: int, board: Board) -> None:
    """Another process writes as fast as it can; what is read is in its order, and what is missed is said to be."""
    reading, seen = Reading(board, None), [-1]
    with subprocess.Popen(
        [sys.executable, "-c", _OTHER, str(memory)], pass_fds=(memory,), stdout=subprocess.PIPE
    ) as writer:
        while writer.poll() is None or reading.behind:
            for records in reading.news():
                for record in records or ():
                    assert record.tables is not None
                    ((_, name),) = record.tables
                    seen.append(int(name[1:]))
        assert writer.stdout is not None
        assert writer.stdout.read() == b"done\n"
    assert seen == sorted(set(seen))
    assert len(seen) > 100
