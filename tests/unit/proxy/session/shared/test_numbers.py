"""The ids that clients are greeted with."""

from itertools import islice

from proxy.session.shared.numbers import FIRST, numbers


def test_one_process_counts() -> None:
    assert list(islice(numbers(), 3)) == [FIRST, FIRST + 1, FIRST + 2]


def test_those_of_workers_and_of_their_successors_differ() -> None:
    found = [set(islice(numbers(slot, 3, life), 1000)) for slot in range(3) for life in range(3)]
    assert len(set.union(*found)) == 9000
    for place, ids in enumerate(found):
        assert {(number - FIRST) % 3 for number in ids} == {place // 3}


def test_none_is_too_large_for_the_protocol() -> None:
    for life in (0, 47, 5000):
        assert all(FIRST <= number < 1 << 32 for number in islice(numbers(63, 64, life), 100))
