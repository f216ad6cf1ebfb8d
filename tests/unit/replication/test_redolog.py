"""What is set on a replica while it is loaded."""

from dataclasses import replace

import pytest

from replication.copy.redolog import log_size
from replication.facts import ServerFacts
from tests.unit.replication.test_plan import facts
from topology.servers import Vendor

LOG = "innodb_log_file_size"
MARIADB = replace(facts("dbread1"), variables={LOG: str(96 << 20)})


@pytest.mark.parametrize(
    ("target", "size", "log"),
    [
        (MARIADB, 500_000_000, 953 << 20),
        (MARIADB, 1 << 40, 1 << 30),
        (MARIADB, 300_000_000, 0),
        (replace(MARIADB, variables={LOG: str(2 << 30)}), 1 << 40, 0),
        (replace(MARIADB, variables={LOG: str(4 << 20), "innodb_log_buffer_size": str(8 << 20)}), 1 << 40, 0),
        (replace(MARIADB, version=(10, 6, 20)), 1 << 40, 0),
        (facts("dbread1", Vendor.MYSQL), 1 << 40, 0),
    ],
    ids=[
        "twice the rows",
        "at most",
        "small",
        "large by itself",
        "smaller than its buffer",
        "of a fixed size",
        "another vendor's",
    ],
)
def test_the_log_is_as_large_as_the_rows_need_it(target: ServerFacts, size: int, log: int) -> None:
    assert log_size(target, size) == log
