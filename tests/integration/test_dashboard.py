"""The proxy's dashboard in a real browser, where there is one."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pymysql
import pytest

from replication.sandbox import Cluster, Flavor
from tests.support.browser import Page, browsing, program
from tests.support.clients import connect, run
from tests.support.clusters import replicating_cluster
from tests.support.proxies import ProxyProcess, running_proxy

BROWSER = program()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here (apt-get install chromium-headless-shell)")
TOKEN = "a token of the tests"
NAMELESS = """[...document.querySelectorAll('button, input, a, select')].filter((control) =>
    !control.getAttribute('aria-label') && !control.textContent.trim() && !control.labels?.length).length"""
SEEN = "[...document.querySelectorAll('.card .ask')].filter((controls) => controls.offsetParent).length"
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with replicating_cluster(Flavor(request.param)) as made:
        yield made


@asynccontextmanager
async def looking(cluster: Cluster, *flags: str) -> AsyncIterator[tuple[ProxyProcess, Page]]:
    assert BROWSER is not None
    with running_proxy(cluster, "--http", "127.0.0.1:0", *flags) as proxy:
        serving = re.search(r"dashboard, metrics and health on (http://[\d.:]+/)", proxy.log)
        assert serving is not None, proxy.log
        async with browsing(BROWSER) as page:
            await page.open(serving[1])
            yield proxy, page


def state(name: str, expected: str) -> str:
    return f"document.querySelector('[aria-label^=\"{name}: {expected}\"]') !== null"


def behind(name: str, expected: str) -> str:
    """The value below "Behind" in the server's card."""
    terms = f"[...document.querySelectorAll('[aria-label^=\"{name}:\"] dt')]"
    return f"{terms}.find((term) => term.textContent === 'Behind').nextSibling.textContent === {expected!r}"


def says(element: str, text: str) -> str:
    return f"document.getElementById('{element}')?.textContent.includes({text!r})"


def click(label: str) -> str:
    return f"document.querySelector('[aria-label=\"{label}\"]').click()"


def work(cluster: Cluster, proxy: ProxyProcess) -> None:
    """Reads, writes, an error, and a session that is pinned until the end."""
    with connect(cluster, proxy) as client:
        run(client, "CREATE DATABASE IF NOT EXISTS shop")
        run(client, "CREATE TABLE IF NOT EXISTS shop.item (id INT PRIMARY KEY, name VARCHAR(20))")
        for number in range(40):
            run(client, f"REPLACE INTO shop.item VALUES ({number}, 'n')")
            for _ in range(3):
                run(client, f"SELECT name FROM shop.item WHERE id = {number}")
        with pytest.raises(pymysql.MySQLError):
            run(client, "SELECT nothing FROM shop.item")


def test_a_replica_is_killed_and_comes_back(cluster: Cluster) -> None:
    async def look() -> None:
        async with looking(cluster) as (proxy, page):
            await page.wait_for(state("dbread1", "healthy"))
            await asyncio.to_thread(work, cluster, proxy)
            await page.wait_for("document.getElementById('flow').textContent.includes('dbread1 gets')")
            await page.wait_for(says("digests", "SELECT NAME FROM `shop` . `item` WHERE `id` = ?"))
            await page.wait_for(says("digests", "read: a plain read: any replica that is fit"))
            await asyncio.to_thread(cluster.server("dbread1").kill)
            await page.wait_for(state("dbread1", "down"))
            await page.wait_for("document.title === '2/3 healthy - manyreads'")
            await page.wait_for(behind("dbread1", "unknown"))
            await page.wait_for(says("flow", "lag unknown"))
            await asyncio.to_thread(cluster.server("dbread1").start)
            await page.wait_for(state("dbread1", "healthy"))
            assert await page.value(NAMELESS) == 0
            assert page.problems == []

    asyncio.run(look())


def test_a_session_is_killed_after_a_second_look(cluster: Cluster) -> None:
    async def look() -> None:
        async with looking(cluster, "--http-token", TOKEN) as (proxy, page):
            await page.wait_for(says("connection", "give the token"))
            page.problems.clear()
            await page.value(f"document.getElementById('token').value = {TOKEN!r}")
            await page.wait_for(state("dbread2", "healthy"))
            # It was refused until then, which a browser tells as a problem.
            page.problems.clear()
            with connect(cluster, proxy) as client:
                run(client, "SET @a = UUID()")
                run(client, "CREATE TEMPORARY TABLE mysql.pinned (id INT)")
                await page.wait_for(says("sessions", "pinned: temp-table"))
                number = await page.value("document.querySelector('[data-key^=kill]').dataset.key.slice(4)")
                await page.value(click(f"Kill session {number}"))
                await page.value(click(f"Really kill session {number}"))
                await page.wait_for(says("answer", f"session {number} is killed"))
                with pytest.raises(pymysql.MySQLError):
                    run(client, "SELECT 1")
            await page.value("document.getElementById('reload').click()")
            await page.wait_for(says("events", "SIGHUP: reading the settings"))
            assert page.problems == []

    asyncio.run(look())


def test_a_replica_is_drained_and_put_back_and_given_another_weight(cluster: Cluster) -> None:
    async def look() -> None:
        async with looking(cluster, "--http-token", TOKEN, "--audit-log") as (proxy, page):
            await page.wait_for(says("connection", "give the token"))
            await page.value(f"document.getElementById('token').value = {TOKEN!r}")
            await page.wait_for(state("dbread1", "healthy"))
            # It was refused until then, which a browser tells as a problem.
            page.problems.clear()
            await page.value(click("Drain dbread1"))
            await page.wait_for(state("dbread1", "healthy"))
            await page.value(click("Really drain dbread1"))
            await page.wait_for(state("dbread1", "draining"))
            await page.wait_for(says("answer", "dbread1 gets no more reads"))
            await page.value(click("Put back dbread1"))
            await page.wait_for(state("dbread1", "healthy"))
            weight = "document.querySelector('[aria-label=\"Weight of dbread1\"]')"
            await page.value(f"{weight}.value = '101'")
            await page.value(click("Set weight of dbread1"))
            await page.value(f"{weight}.value = '7'")
            await page.value(click("Set weight of dbread1"))
            await page.wait_for(f"{weight}.closest('li').querySelector('dl').textContent.includes('Weight7')")
            assert await page.value(NAMELESS) == 0
            assert await page.value(SEEN) == 2
            assert page.problems == []
            for done in ("drain", "resume", "weight"):
                assert f"audit: {done} by=127.0.0.1 server=dbread1" in proxy.log

    asyncio.run(look())


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_the_screen(cluster: Cluster, width: int, dark: bool, tmp_path: Path) -> None:
    async def look() -> None:
        async with looking(cluster) as (proxy, page):
            await page.look_like(width, 2200, dark=dark)
            await page.wait_for(state("dbread2", "healthy"))
            await asyncio.to_thread(work, cluster, proxy)
            await page.wait_for("document.getElementById('flow').textContent.includes('dbwrite gets')")
            assert not await page.value(WIDER)
            (tmp_path / "page.png").write_bytes(await page.screenshot())
            background = await page.value("getComputedStyle(document.body).backgroundColor")
            assert background == ("rgb(13, 17, 23)" if dark else "rgb(246, 247, 249)")

    asyncio.run(look())
