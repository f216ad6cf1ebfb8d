"""A few seeds of `python -m tests.kills`; the seed is in the test's name."""

from collections.abc import Iterator

import pytest

from replication.sandbox import Flavor
from tests.support.kills import Killing
from tests.support.site import site


@pytest.fixture(scope="module", params=list(Flavor))
def killing(request: pytest.FixtureRequest) -> Iterator[Killing]:
    with site(Flavor(request.param)) as place:
        yield Killing(place)


@pytest.mark.parametrize("seed", [1, 3, 6])
def test_a_run_that_was_killed_is_finished_by_the_next(killing: Killing, seed: int) -> None:
    print(killing.run(seed))
