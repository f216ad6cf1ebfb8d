"""What stands between sysbench and the servers: nothing, the forwarder, HAProxy, or the proxy."""

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from replication.sandbox import Cluster
from replication.sandbox.ports import claim_ports
from tests.bench.figures import FORWARDER
from tests.bench.sysbench import Address
from tests.support.proxies import ROOT, running_proxy
from tests.support.waiting import wait_until

_HAPROXY = """\
global
    nbthread 1
    maxconn 4096
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen mysql
    bind {host}:{port}
    server primary {server_host}:{server_port}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """One way to the servers. `pid` is of the process in the middle, None without one."""

    name: str
    address: Address
    pid: int | None


@contextmanager
def all_targets(cluster: Cluster, compiled: Path | None) -> Iterator[list[Target]]:
    """Every target there is on this machine, running, in the order in which they are measured.

    `compiled` is where the proxy's compiled packages are, if it is to be measured with them, too.
    """
    primary = cluster.servers[0]
    with ExitStack() as stack:
        forwarder = stack.enter_context(_forwarder(primary.host, primary.port))
        haproxy = stack.enter_context(_haproxy(primary.host, primary.port)) if haproxy_path() else None
        # The other ways to the servers have no TLS either.
        proxy = stack.enter_context(running_proxy(cluster, "--server-tls", "off", packages=None))
        middles = [(FORWARDER, *forwarder), *([("haproxy", *haproxy)] if haproxy else [])]
        middles.append(("proxy", proxy.port, proxy.process.pid))
        if compiled is not None:
            proxy = stack.enter_context(running_proxy(cluster, "--server-tls", "off", packages=str(compiled)))
            middles.append(("compiled", proxy.port, proxy.process.pid))
        targets = [Target("direct", Address(primary.host, primary.port, primary.user, primary.password), None)]
        for name, port, pid in middles:
            targets.append(Target(name, Address(primary.host, port, primary.user, primary.password), pid))
        yield targets


def haproxy_path() -> str | None:
    """Where HAProxy is; distributions put it where only root looks."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def _forwarder(host: str, port: int) -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", "tests.bench.forwarder", host, str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline()), process.pid
        finally:
            process.kill()


@contextmanager
def _haproxy(host: str, port: int) -> Iterator[tuple[int, int]]:
    with tempfile.TemporaryDirectory(prefix="many-") as directory:
        (listen,) = claim_ports(1, Path(directory))
        config = Path(directory) / "haproxy.cfg"
        config.write_text(_HAPROXY.format(host="127.0.0.1", port=listen, server_host=host, server_port=port))
        command = [str(haproxy_path()), "-db", "-q", "-f", str(config)]
        with subprocess.Popen(command) as process:
            try:
                wait_until(lambda: _accepts(listen), "haproxy accepts connections")
                yield listen, process.pid
            finally:
                process.kill()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
