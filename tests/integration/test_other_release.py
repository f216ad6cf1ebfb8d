"""Another release is installed over the one that runs: its workers cannot be replaced, and the log says what to do."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

from replication.sandbox import Cluster
from tests.support.clients import run
from tests.support.crew import on_both, worker_processes
from tests.support.proxies import COMPILED, ROOT, running_proxy

PACKAGES = ("manyreads", "proxy", "replication", "topology")


def install(directory: Path, release: str) -> None:
    """As pip leaves it: the release is what its metadata say."""
    metadata = directory / "manyreads.dist-info" / "METADATA"
    metadata.parent.mkdir(exist_ok=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: manyreads\nVersion: {release}\n")


def test_a_worker_of_another_release_does_not_start(shared_cluster: Cluster, tmp_path: Path) -> None:
    for name in PACKAGES:
        (tmp_path / name).symlink_to(Path(COMPILED or ROOT).resolve() / name)
    install(tmp_path, "1.0")
    flags = ("--workers", "2")
    with running_proxy(shared_cluster, *flags, packages=str(tmp_path)) as proxy, ExitStack() as stack:
        _, safe = on_both(shared_cluster, proxy, stack)
        install(tmp_path, "2.0")
        os.kill(worker_processes(proxy)[0], signal.SIGKILL)
        proxy.wait_for_log("worker 0 cannot start: this process is manyreads 1.0, and another release is installed")
        assert "remedy: restart the proxy" in proxy.log
        assert run(safe, "SELECT 1") == ((1,),)
        # The one that it runs is there again.
        install(tmp_path, "1.0")
        proxy.wait_for_log("worker 0 serves clients", 2)
        on_both(shared_cluster, proxy, stack)
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.log
