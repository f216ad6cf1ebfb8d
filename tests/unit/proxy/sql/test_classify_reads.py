"""What ordinary applications send when they read: all of it must be free to go to a replica."""

from pathlib import Path

import pytest

from proxy.sql.comments import ServerVersion
from tests.support.statements import SERVERS, classified, facts

# One statement a line; a line that begins with `=` says who writes such statements.
LINES = Path(__file__).with_name("reads.txt").read_text(encoding="utf-8").splitlines()
READS = [line for line in LINES if not line.startswith("=")]
READS += ["SELECT a\n\tFROM\r\n t\n", "SELECT a -- why\nFROM t", "SELECT a # why\nFROM t", "SELECT/**/a/*x*/FROM/**/t"]


@pytest.mark.parametrize("server", SERVERS, ids=str)
@pytest.mark.parametrize("text", READS)
def test_a_plain_read_may_go_to_a_replica(text: str, server: ServerVersion) -> None:
    assert facts(classified(text, server)) == "READ|read|-|-|-"
