"""The watcher's page in a real browser, where there is one: what it shows changes while servers go and come."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from replication.sandbox import Cluster, Flavor
from tests.support.browser import Page, browsing, program
from tests.support.clusters import replicating_cluster
from tests.support.watchers import running_watcher

BROWSER = program()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here (apt-get install chromium-headless-shell)")


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with replicating_cluster(Flavor(request.param)) as made:
        yield made


@asynccontextmanager
async def watching(cluster: Cluster) -> AsyncIterator[Page]:
    assert BROWSER is not None
    flags = ("--environment", str(cluster.environment_file), "--http", "127.0.0.1:0")
    with running_watcher(*flags) as watcher:
        watcher.wait_for_log("dbread2: HEALTHY")
        serving = re.search(r"serving (http://[\d.:]+/)", watcher.log)
        assert serving is not None, watcher.log
        async with browsing(BROWSER) as page:
            await page.open(serving[1])
            yield page


def state(name: str, expected: str) -> str:
    return f"document.querySelector('[aria-label^=\"{name}: {expected}\"]') !== null"


def click(label: str) -> str:
    return f"document.querySelector('[aria-label=\"{label}\"]').click()"


def says(element: str, text: str) -> str:
    return f"document.getElementById('{element}').innerText.includes({text!r})"


def test_states_change_while_a_replica_is_killed_and_comes_back(cluster: Cluster) -> None:
    async def look() -> None:
        async with watching(cluster) as page:
            await page.wait_for(state("dbread1", "HEALTHY"))
            assert await page.value("document.title") == "2/2 healthy - manyreads replication"
            await asyncio.to_thread(cluster.server("dbread1").kill)
            await page.wait_for(state("dbread1", "UNREACHABLE"))
            await page.wait_for(says("events", "dbread1: HEALTHY -> UNREACHABLE"))
            await page.wait_for("document.querySelector('[aria-label^=dbread1]').innerText.includes('unknown')")
            await asyncio.to_thread(cluster.server("dbread1").start)
            await page.wait_for(state("dbread1", "HEALTHY"))
            assert page.problems == []

    asyncio.run(look())


def test_a_comparison_is_asked_for_with_the_token(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYREADS_HTTP_TOKEN", "sesame")

    async def look() -> None:
        async with watching(cluster) as page:
            await page.wait_for(state("dbread2", "HEALTHY"))
            await page.value(click("Compare dbread2"))
            await page.wait_for(says("answer", "Give the token first"))
            await page.value("document.getElementById('token').value = 'sesame'")
            await page.value(click("Compare dbread2"))
            await page.wait_for(says("answer", "dbread2: verify begins"))
            await page.wait_for(says("replicas", "equal, "))
            assert page.problems == []
            await page.value("document.getElementById('token').value = 'wrong'")
            await page.value(click("Copy again dbread2"))
            await page.wait_for(says("answer", "dbread2: wrong token"))

    asyncio.run(look())
