"""Places in the binary log of a server without GTIDs."""

from typing import Any

import pytest

from topology import gtid
from topology.binlogs import covers, executed, logged
from topology.servers import Vendor

A = "6ab2f6b5-0000-11ef-8d0e-0242ac120002"
B = "6ab2f6b5-0000-11ef-8d0e-0242ac120003"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"File": "binlog.000003", "Position": 1234}, f"{A}/3:1234"),
        ({"File": "a.b-bin.1000001", "Position": 4}, f"{A}/1000001:4"),
        ({"File": "", "Position": 0}, ""),
        ({}, ""),
    ],
)
def test_where_a_log_ends(row: dict[str, Any], expected: str) -> None:
    assert logged(A, row) == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"Source_UUID": A, "Relay_Source_Log_File": "l.000002", "Exec_Source_Log_Pos": 7}, f"{A}/2:7"),
        ({"Master_UUID": A, "Relay_Master_Log_File": "l.000002", "Exec_Master_Log_Pos": 7}, f"{A}/2:7"),
        ({"Source_UUID": "", "Relay_Source_Log_File": "l.000002", "Exec_Source_Log_Pos": 7}, ""),
        ({"Source_UUID": A, "Relay_Source_Log_File": "", "Exec_Source_Log_Pos": 0}, ""),
        ({"Master_Server_Id": 1, "Relay_Master_Log_File": "l.000002", "Exec_Master_Log_Pos": 7}, ""),
    ],
)
def test_how_far_a_replica_is(row: dict[str, Any], expected: str) -> None:
    assert executed(row) == expected


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        (f"{A}/3:100", f"{A}/3:100", True),
        (f"{A}/3:100", f"{A.upper()}/3:99", True),
        (f"{A}/3:100", f"{A}/3:101", False),
        (f"{A}/10:4", f"{A}/9:900", True),
        (f"{A}/9:900", f"{A}/10:4", False),
        (f"{B}/9:900", f"{A}/1:4", False),
        ("", f"{A}/1:4", False),
        (f"{A}:1-9", f"{A}/1:4", False),
        (f"{A}/1:4", f"{A}:1-9", False),
    ],
)
def test_only_places_in_one_log_are_compared(have: str, want: str, expected: bool) -> None:
    assert covers(have, want) is expected
    assert gtid.covers(Vendor.MYSQL, have, want) is expected
