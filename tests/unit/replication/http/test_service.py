"""The HTTP service over a watcher whose report is given, without any server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from replication.comparison.chunks import Chunk
from replication.comparison.findings import ChunkDifference
from replication.copy.catalog import Table
from replication.facts import Channel, Marker, Phase
from replication.http.service import serving
from replication.ladder import Watched
from replication.seen import PrimarySeen, ReplicaSeen
from replication.states import State, Verdict
from replication.telling import Event, LastComparison, Report
from replication.verification import Comparison, Verified
from replication.watcher import Watcher, WatchOptions
from topology.environment import Deployment
from topology.servers import Role, Server

SECRET = "sesame-sesame"
TOKEN = "a-token"
PRIMARY = Server("dbwrite", "10.0.0.1", 3306, Role.PRIMARY, "root", SECRET)
REPLICA = Server("dbread1", "10.0.0.2", 3306, Role.REPLICA, "root", SECRET)
SEEN = ReplicaSeen(
    REPLICA, channels=(Channel("", "10.0.0.1", 3306, "1", "Yes", "Yes"),), marker=Marker("one", Phase.DONE)
)

Client = aiohttp.ClientSession
Use = Callable[[Client, Watcher], Awaitable[None]]


def report(state: State = State.HEALTHY, lag: float | None = 0.0, reason: str = "") -> Report:
    verdict = Verdict(state, reason, lag=lag, behind=0 if lag is not None else None)
    return Report(PrimarySeen(PRIMARY), (Watched(SEEN, verdict),), leads=True)


def serve(use: Use, first: Report | None, token: str = TOKEN) -> None:
    """Run `use` against a service whose watcher last reported `first`."""

    async def run() -> None:
        watcher = Watcher(Deployment(PRIMARY, (REPLICA,)), WatchOptions())
        watcher.report = first
        async with (
            serving(watcher, "127.0.0.1", 0, token) as (host, port),
            aiohttp.ClientSession(f"http://{host}:{port}") as client,
        ):
            await use(client, watcher)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "state", "lag", "expected"),
    [
        ("/healthz", State.DIVERGED, None, 200),
        ("/readyz", State.HEALTHY, 0.0, 200),
        ("/readyz", State.LAGGING, 60.0, 503),
        ("/replicas/dbread1", State.HEALTHY, 0.0, 200),
        ("/replicas/dbread1", State.BROKEN_RETRY, None, 503),
        ("/replicas/dbread1", State.LAGGING, 60.0, 503),
        ("/replicas/dbread1?max_lag=90", State.LAGGING, 60.0, 200),
        ("/replicas/dbread1?max_lag=1", State.HEALTHY, 2.0, 503),
        ("/replicas/dbread1?max_lag=x", State.HEALTHY, 0.0, 400),
        ("/replicas/dbread1?max_lag=nan", State.HEALTHY, 0.0, 400),
        ("/replicas/other", State.HEALTHY, 0.0, 404),
        ("/", State.HEALTHY, 0.0, 200),
        ("/nothing", State.HEALTHY, 0.0, 404),
    ],
)
def test_each_address_answers(path: str, state: State, lag: float | None, expected: int) -> None:
    async def use(client: Client, _: Watcher) -> None:
        async with client.get(path) as answer:
            assert answer.status == expected

    serve(use, report(state, lag))


def test_nothing_is_ready_before_the_first_look() -> None:
    async def use(client: Client, _: Watcher) -> None:
        codes = [(await client.get(path)).status for path in ("/healthz", "/readyz", "/status", "/metrics")]
        assert codes == [200, 503, 503, 200]

    serve(use, None)


def test_no_output_holds_a_secret() -> None:
    async def use(client: Client, _: Watcher) -> None:
        for path in ("/", "/status", "/metrics", "/replicas/dbread1"):
            text = await (await client.get(path)).text()
            assert SECRET not in text
            assert TOKEN not in text

    serve(use, report())


def test_status_tells_everything() -> None:
    async def use(client: Client, _: Watcher) -> None:
        found = await (await client.get("/status")).json()
        assert found["ok"] is False
        assert found["acting"] is True
        assert found["primary"]["name"] == "dbwrite"
        (replica,) = found["replicas"]
        assert (replica["state"], replica["lag_seconds"], replica["reason"]) == ("LAGGING", 60.0, "far")

    serve(use, report(State.LAGGING, 60.0, "far"))


def test_metrics_are_prometheus_text() -> None:
    async def use(client: Client, _: Watcher) -> None:
        text = await (await client.get("/metrics")).text()
        assert 'manyreads_replica_state{replica="dbread1",state="LAGGING"} 1.0' in text
        assert 'manyreads_replica_state{replica="dbread1",state="HEALTHY"} 0.0' in text
        assert 'manyreads_replica_lag_seconds{replica="dbread1"} 60.0' in text
        assert "manyreads_repairs_total 0.0" in text

    serve(use, report(State.LAGGING, 60.0))


def test_unknown_lag_has_no_sample() -> None:
    async def use(client: Client, _: Watcher) -> None:
        assert "manyreads_replica_lag_seconds{" not in await (await client.get("/metrics")).text()

    serve(use, report(State.LAGGING, None))


@pytest.mark.parametrize(
    ("token", "given", "expected"),
    [
        (TOKEN, f"Bearer {TOKEN}", 202),
        (TOKEN, "Bearer wrong", 401),
        (TOKEN, "", 401),
        (TOKEN, "Bearer é", 401),
        ("", "Bearer ", 403),
        ("", "", 403),
    ],
)
@pytest.mark.parametrize("what", ["resync", "verify"])
def test_asking_for_something_needs_the_token(
    what: str, token: str, given: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(client: Client, watcher: Watcher) -> None:
        asked: list[str] = []
        monkeypatch.setattr(watcher, f"begin_{what}", asked.append)
        async with client.post(f"/replicas/dbread1/{what}", headers={"Authorization": given}) as answer:
            assert answer.status == expected
        assert asked == (["dbread1"] if expected == 202 else [])

    serve(use, report(), token)


def test_the_page_of_another_site_asks_for_nothing() -> None:
    async def use(client: Client, _: Watcher) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}", "Sec-Fetch-Site": "cross-site"}
        async with client.post("/replicas/dbread1/verify", headers=headers) as answer:
            assert answer.status == 403

    serve(use, report(), TOKEN)


def test_the_last_healthy_replica_is_not_copied() -> None:
    async def use(client: Client, _: Watcher) -> None:
        async with client.post("/replicas/dbread1/resync", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert answer.status == 409
            assert "only healthy replica" in (await answer.json())["error"]

    serve(use, report())


def test_one_thing_is_done_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(client: Client, watcher: Watcher) -> None:
        forever = asyncio.Event()

        async def compare(*_: object) -> Verified:
            await forever.wait()
            raise AssertionError

        monkeypatch.setattr("replication.watcher.verify", compare)
        for what, expected in (("verify", 202), ("verify", 409), ("resync", 409)):
            async with client.post(f"/replicas/dbread1/{what}", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
                assert answer.status == expected
        await watcher._end_repair()

    serve(use, report())


def test_the_last_comparison_is_shown_without_keys() -> None:
    table = Table("app", "t", "InnoDB", (), "")
    chunk = ChunkDifference(Chunk(table, ()), 2, 1, 1, 0, 0, ("4711",))
    found = Comparison(REPLICA, gtid="0-1-9", tables=1, rows=2, chunks=(chunk,))

    async def use(client: Client, _: Watcher) -> None:
        text = await (await client.get("/status")).text()
        (replica,) = json.loads(text)["replicas"]
        assert replica["verified"]["equal"] is False
        wanted = "`app`.`t`: 2 rows on the primary, 1 here; 1 missing, 0 extra, 0 changed"
        assert replica["verified"]["differences"] == [wanted]
        assert "4711" not in text
        assert 'manyreads_replica_equal{replica="dbread1"} 0.0' in await (await client.get("/metrics")).text()

    serve(use, replace(report(), verified=(LastComparison("dbread1", "2026-01-01T00:00:00+00:00", found),)))


def test_changes_are_told_as_they_happen() -> None:
    async def use(client: Client, watcher: Watcher) -> None:
        async with client.get("/events") as answer:
            assert answer.content_type == "text/event-stream"
            watcher._tell(Event("dbread1", "HEALTHY -> DIVERGED", warning=True, state=State.DIVERGED, at="2026-01-01"))
            for each in (report(), report(), report(State.DIVERGED, None)):
                for listener in watcher._report_listeners:
                    listener(each)
            found = [await _next(answer) for _ in range(3)]
        assert [kind for kind, _ in found] == ["event", "status", "status"], "an equal status is not told twice"
        assert found[0][1] == {
            "at": "2026-01-01",
            "server": "dbread1",
            "state": "DIVERGED",
            "message": "HEALTHY -> DIVERGED",
            "warning": True,
        }
        assert [each["replicas"][0]["state"] for _, each in found[1:]] == ["HEALTHY", "DIVERGED"]

    serve(use, replace(report(), leads=False))


async def _next(answer: aiohttp.ClientResponse) -> tuple[str, dict[str, Any]]:
    kind = (await answer.content.readline()).decode().removeprefix("event: ").strip()
    data = (await answer.content.readline()).decode().removeprefix("data: ")
    await answer.content.readline()
    return kind, json.loads(data)
