"""The whole system from dotcloud.yml: built by its build script, run with an environment.json as dotCloud writes it."""

import json
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from replication.sandbox import Cluster, Flavor
from replication.sandbox.ports import claim_ports
from tests.support.clients import WRITES, Counters, connect, own_writes, run, spreads
from tests.support.clusters import blank_cluster
from tests.support.dotcloud import build, environment, running, services, variables, write_environment
from tests.support.proxies import ProxyProcess
from tests.support.waiting import wait_until

# The first test waits for the build, which compiles.
pytestmark = pytest.mark.timeout(600)
ROUNDS = 6


@pytest.fixture(scope="module")
def built() -> Iterator[Path]:
    """The home of dbmanager, which is that of proxy too: their build script is one."""
    (script,) = {service["buildscript"] for service in services().values() if service["type"] == "custom"}
    directory = Path(tempfile.mkdtemp(prefix="many-"))
    try:
        yield build({"buildscript": script}, directory)
    finally:
        # Not a second error behind that of a build that was broken off, and may still be writing.
        shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True)
class Deployed:
    """An application on the platform, whose manager runs."""

    cluster: Cluster
    home: Path
    page: str
    port: int

    def all_healthy(self) -> bool:
        """Whether the manager says so of both replicas over HTTP."""
        try:
            for name in ("dbread1", "dbread2"):
                urllib.request.urlopen(f"{self.page}/replicas/{name}", timeout=5).close()
        except OSError:
            return False
        return True

    def startsync(self, *arguments: str, **more: str) -> dict[str, Any]:
        """`dotcloud run myapp.dbmanager ./startsync`; what it reports."""
        command = ["./startsync", "--json", *arguments]
        done = subprocess.run(
            command, cwd=self.home, env=variables(self.home, **more), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module", params=list(Flavor))
def deployed(
    request: pytest.FixtureRequest, built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    log = tmp_path_factory.mktemp("dbmanager") / "log"
    with blank_cluster(Flavor(request.param)) as cluster:
        www, mysql, public = claim_ports(3, log.parent)
        write_environment(built, environment(cluster, {"proxy": public}))
        application = Deployed(cluster, built, f"http://127.0.0.1:{www}", mysql)
        with running(services()["dbmanager"], built, log, www=www) as process:
            wait_until(application.all_healthy, "the manager has set the replicas up", log.read_text)
            yield application
            process.terminate()
            assert process.wait(30) == 0, log.read_text()


def actions(report: dict[str, Any]) -> dict[str, str]:
    return {replica["name"]: replica["action"] for replica in report["replicas"]}


def test_startsync_works_again_after_the_manager_did_it(deployed: Deployed) -> None:
    assert actions(deployed.startsync()) == {"dbread1": "leave alone", "dbread2": "leave alone"}


def test_the_doctor_is_there_and_finds_all_well(deployed: Deployed) -> None:
    command = ["env/bin/manyreads", "doctor", "--environment", "environment.json"]
    home = deployed.home
    done = subprocess.run(command, cwd=home, env=variables(home), capture_output=True, text=True, timeout=120)
    assert (done.returncode, " 0 errors" in done.stdout) == (0, True), done.stdout + done.stderr


def test_services_are_named_in_the_environment(deployed: Deployed) -> None:
    assert actions(deployed.startsync(MASTER="dbwrite", SLAVES="dbread2")) == {"dbread2": "leave alone"}


def test_services_are_named_at_the_head_of_the_script(deployed: Deployed) -> None:
    script = deployed.home / "startsync"
    before = script.read_text()
    lines = [
        {"MASTER": "MASTER=dbwrite", "SLAVES": 'SLAVES="dbread1"'}.get(line.partition("=")[0], line)
        for line in before.splitlines()
    ]
    script.write_text("\n".join(lines) + "\n")
    try:
        assert actions(deployed.startsync()) == {"dbread1": "leave alone"}
    finally:
        script.write_text(before)


def test_the_proxy_listens_where_it_is_told_and_splits(deployed: Deployed, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(services()["proxy"], deployed.home, log, mysql=deployed.port) as process:
        proxy = ProxyProcess(process, log)
        proxy.wait_for_log("serving on")
        proxy.wait_for_log("-> healthy", 3)
        assert (proxy.host, proxy.port) == ("0.0.0.0", deployed.port)
        with connect(deployed.cluster, proxy) as client:
            run(client, "CREATE DATABASE app")
            run(client, "CREATE TABLE app.t (id INT PRIMARY KEY)")
            counters = Counters(deployed.cluster, WRITES)
            for number in range(ROUNDS):
                run(client, f"INSERT INTO app.t VALUES ({number})")
                assert run(client, "SELECT COUNT(*) FROM app.t") == ((number + 1,),)
            # The replicas repeat the primary's writes; a write of their own would be one too many there.
            assert counters.difference()["dbwrite"] >= ROUNDS
            assert not any(own_writes(deployed.cluster, replica) for replica in deployed.cluster.servers[1:])
            wait_until(lambda: spreads(deployed.cluster, client, "SELECT id FROM app.t"), "reads go to both replicas")
        assert proxy.stop() == 0, proxy.log
