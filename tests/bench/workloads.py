"""What is measured: each workload as the sysbench test and options that make it."""

from dataclasses import dataclass
from pathlib import Path

TABLE_ROWS = 100_000
DATABASE = "sbtest"

_LUA = Path(__file__).parent / "lua"
_TABLE = (f"--table-size={TABLE_ROWS}",)
_TEXT = ("--db-ps-mode=disable",)
_PREPARED = ("--db-ps-mode=auto",)


@dataclass(frozen=True, slots=True)
class Workload:
    """One line of the report. `test` is a script that sysbench brings along or a path.

    `most_threads` limits the connections where more of them would only fill the client's memory.
    """

    name: str
    title: str
    test: str
    options: tuple[str, ...]
    most_threads: int = 1024

    def threads(self, wanted: int) -> int:
        """How many connections it runs with."""
        return min(wanted, self.most_threads)


WORKLOADS = (
    Workload("point-text", "point select, text", "oltp_point_select", _TABLE + _TEXT),
    Workload("point-prepared", "point select, prepared", "oltp_point_select", _TABLE + _PREPARED),
    Workload("read-only", "read-only transactions", "oltp_read_only", _TABLE + _TEXT),
    Workload("read-write", "read-write transactions", "oltp_read_write", _TABLE + _TEXT),
    Workload("autocommit", "read-write, autocommit", "oltp_read_write", (*_TABLE, *_TEXT, "--skip_trx=on")),
    Workload("large-result", "100,000-row result", str(_LUA / "large_result.lua"), _TEXT, most_threads=2),
    Workload("connect", "connect, SELECT 1, close", str(_LUA / "connect.lua"), ()),
)
