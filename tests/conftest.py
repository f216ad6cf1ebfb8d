"""Tests side by side (pytest-xdist): how many workers, and which of them runs what."""

import os

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.support.scheduling import next_unit, unit, worker_count

_GIBIBYTE = 2**30


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
