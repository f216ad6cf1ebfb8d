"""A proxy of several processes: which of them serves a client, and their process ids."""

import re
import urllib.request
from contextlib import ExitStack

from prometheus_client.parser import text_string_to_metric_families

from proxy.session.shared.numbers import FIRST
from replication.sandbox import Cluster
from tests.support.clients import Connection, connect
from tests.support.proxies import ProxyProcess

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
_SERVES = re.compile(r"worker (\d+) serves clients \(process (\d+)\)")
_STARTED = re.compile(r"metrics and health on (\S+)/")


def worker_of(connection: Connection, workers: int = 2) -> int:
    """The number of the worker that serves a connection, which is in its id."""
    number: int = connection.thread_id()
    return (number - FIRST) % workers


def on_both(cluster: Cluster, proxy: ProxyProcess, stack: ExitStack) -> list[Connection]:
    """A connection to each of two workers, the first one first."""
    found: dict[int, Connection] = {}
    while len(found) < 2:
        connection = stack.enter_context(connect(cluster, proxy))
        found.setdefault(worker_of(connection), connection)
    return [found[0], found[1]]


def worker_processes(proxy: ProxyProcess) -> list[int]:
    """The process ids of the workers, by their numbers."""
    found = {int(number): int(process) for number, process in _SERVES.findall(proxy.log)}
    return [process for _, process in sorted(found.items())]


def samples(proxy: ProxyProcess) -> Samples:
    """The metrics of the whole proxy now, read as Prometheus reads them."""
    match = _STARTED.search(proxy.log)
    assert match is not None, proxy.log
    with urllib.request.urlopen(f"{match[1]}/metrics", timeout=30) as response:
        text = response.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def growing(found: Samples) -> Samples:
    """Those that never may get smaller."""
    return {key: value for key, value in found.items() if key[0].endswith(("_total", "_count", "_bucket", "_sum"))}


def total(found: Samples, name: str) -> float:
    """The sum over all labels."""
    return sum(value for (sample, _), value in found.items() if sample == name)
