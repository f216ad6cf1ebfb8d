"""How tests are dealt out to workers."""

import pytest

from tests.support.scheduling import next_unit, unit, worker_count


@pytest.mark.parametrize(
    ("processors", "gibibytes", "workers"), [(2, 23.5, 4), (2, 7.7, 3), (1, 1, 1), (16, 16, 8), (8, 64, 16)]
)
def test_workers_are_two_for_each_processor_if_there_is_memory(processors: int, gibibytes: float, workers: int) -> None:
    assert worker_count(processors, gibibytes) == workers


@pytest.mark.parametrize(
    ("test", "vendor"),
    [
        ("test_a[mariadb]", "mariadb"),
        ("test_a[mysql-1062-write anew]", "mysql"),
        ("test_a[zlib-mysql]", "mysql"),
        ("test_a[mysql2]", ""),
        ("test_a[::1-x]", ""),
        ("test_a", ""),
    ],
)
def test_a_unit_is_a_file_and_a_vendor(test: str, vendor: str) -> None:
    assert unit(f"tests/integration/test_x.py::{test}") == f"tests/integration/test_x.py@{vendor}"


def test_what_takes_long_to_make_is_not_made_for_each_vendor() -> None:
    file = "tests/integration/test_dotcloud.py"
    assert {unit(f"{file}::test_a[{vendor}]") for vendor in ("mariadb", "mysql")} == {f"{file}@"}


def test_a_worker_keeps_to_one_vendor_and_begins_with_what_takes_long() -> None:
    waiting = [
        "tests/unit/test_u.py@mariadb",
        "tests/integration/test_short.py@mariadb",
        "tests/integration/test_short.py@mysql",
        "tests/integration/test_watch.py@mysql",
        "tests/integration/test_watch.py@mariadb",
        "tests/integration/test_package.py@",
    ]
    orders = []
    for worker in (0, 1, 2):
        left = list(waiting)
        order = []
        while left:
            order.append(next_unit(left, worker))
            left.remove(order[-1])
        orders.append(order)
    of_mariadb, of_mysql, again = orders
    assert of_mariadb == [waiting[number] for number in (4, 1, 5, 3, 2, 0)]
    assert of_mysql == [waiting[number] for number in (3, 2, 5, 4, 1, 0)]
    assert again == of_mariadb
