"""What a number of one process means to another."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.workers.numbering import Numbering, within
from topology.freshness import NOTHING


def test_vectors_are_compared_log_by_log() -> None:
    assert within((1, 2), (1, 2))
    assert within((1, 2), (3, 2))
    assert not within((1, 2), (3, 1))


def test_what_is_covered_is_what_all_logs_have() -> None:
    numbering = Numbering()
    assert (numbering.covered((9, 9)), numbering.vector(9), numbering.last) == (NOTHING, None, NOTHING)
    numbering.note(1, (0, 0))
    numbering.note(2, (10, 0))
    numbering.note(4, (10, 30))
    assert numbering.last == 4
    assert numbering.covered((0, 0)) == 1
    assert numbering.covered((9, 100)) == 1
    assert numbering.covered((10, 29)) == 2
    assert numbering.covered((10, 30)) == 4
    assert numbering.vector(3) == (10, 0)
    assert numbering.vector(4) == (10, 30)
    assert numbering.vector(0) is None


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5)), max_size=50), st.data())
def test_no_number_is_covered_of_which_something_is_missing(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    numbering, vector, known = Numbering(), [0, 0, 0], [(0, (0, 0, 0))]
    numbering.note(0, (0, 0, 0))
    for number, (log, more) in enumerate(steps, 1):
        vector[log] += more
        known.append((number, (vector[0], vector[1], vector[2])))
        numbering.note(*known[-1])
    seen = data.draw(st.tuples(*[st.integers(0, 20)] * 3))
    assert numbering.covered(seen) == max(number for number, needed in known if within(needed, seen))
    for number, needed in known:
        assert numbering.vector(number) == needed


def test_what_is_long_past_is_forgotten() -> None:
    numbering = Numbering()
    for number in range(50_000):
        numbering.note(number, (number,))
    assert numbering.vector(0) is None
    assert numbering.covered((5,)) == NOTHING
    assert numbering.covered((49_990,)) == 49_990
