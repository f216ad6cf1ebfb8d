"""Writing anew what differs, when a replica would have to be held for too long."""

import asyncio
from collections import Counter

import pytest

from replication import verification
from replication.comparison.chunks import Chunk
from replication.comparison.findings import ChunkDifference, difference
from replication.copy.catalog import Column, Table
from replication.errors import HeldTooLong
from replication.report import SilentReporter
from replication.verification import Options, _repair, _Run
from topology.servers import Role, Server, Vendor

SERVER = Server("dbread1", "10.0.0.2", 3306, Role.REPLICA)
RUN = _Run(Options(max_pause=2.0), SilentReporter(), SERVER, Vendor.MYSQL, asyncio.Lock())


def found(count: int) -> list[ChunkDifference]:
    table = Table("s", "t", "InnoDB", (Column("id", "int"),), "")
    return [difference(Chunk(table, table.columns, (b"%d" % n,)), Counter(), Counter()) for n in range(count)]


def test_it_is_tried_again_with_fewer_rows_and_what_is_written_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, int]] = []

    async def write(_run: _Run, _server: Server, left: list[ChunkDifference], rows: int) -> float:
        tried.append((len(left), rows))
        del left[0]
        if len(tried) < 3:
            raise HeldTooLong("it would have to be held for more than 2 seconds")
        return 0.5

    monkeypatch.setattr(verification, "_write_all", write)
    assert asyncio.run(_repair(RUN, SERVER, found(4))) == 2.0, "it was held so long, in vain"
    assert [left for left, _ in tried] == [4, 3, 2]
    sizes = [rows for _, rows in tried]
    assert sizes == sorted(set(sizes), reverse=True)


def test_it_ends_when_nothing_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    async def write(*_: object) -> float:
        raise HeldTooLong("it would have to be held for more than 2 seconds")

    monkeypatch.setattr(verification, "_write_all", write)
    with pytest.raises(HeldTooLong):
        asyncio.run(_repair(RUN, SERVER, found(1)))
