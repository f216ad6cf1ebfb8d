"""Tests side by side (pytest-xdist): how many workers, which of them runs what, and what they make only once."""

import gc
import os
import shutil
import signal
import tempfile

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.support.once import ONCE
from tests.support.scheduling import next_unit, unit, worker_count
from tests.support.telling import Telling

_GIBIBYTE = 2**30

# How long an example takes is the machine's affair.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """A directory for what is made once for all workers, who inherit the environment. A run in the background of a
    shell would have its programs pass over Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        os.environ[ONCE] = tempfile.mkdtemp(prefix="many-")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Only the process that shows the run has a terminal."""
    plugins = session.config.pluginmanager
    if (terminal := plugins.get_plugin("terminalreporter")) is not None:
        plugins.register(Telling(terminal))


def pytest_collection_finish() -> None:
    """Thousands of tests stay for good: the collector need not look at them over and over."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Called when all workers have ended."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(ONCE))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return worker_count(os.cpu_count() or 1, memory / _GIBIBYTE)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> "ByServer":
    """Whatever `--dist` says: tests of a file that share servers must not be torn apart."""
    return ByServer(config, log)


class ByServer(LoadScopeScheduling):
    """The tests of one file and one vendor are a unit; a worker takes those of one vendor as long as there are some."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        chosen = next_unit(self.workqueue, int(node.gateway.id.removeprefix("gw")))
        self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)
