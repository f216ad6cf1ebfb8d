"""One worker as its parent sees it: its process, the line to it, and the clients that it is given."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from prometheus_client.core import Metric

import proxy
from proxy.admin.figures import Figures
from proxy.http.summing import counted, levels
from proxy.workers.board import Board
from proxy.workers.messages import RELEASE
from proxy.workers.peer import Handler, Peer, PeerGone
from topology.events import happens

log = logging.getLogger(__name__)

# The worker shall run what this process runs, wherever that came from, and nothing of its working directory.
_LAST_WORDS: Final = 1.0
_ROOT: Final = str(Path(proxy.__file__).parent.parent)
# A worker's exit code when what is installed by now is not what this process runs.
OTHER_RELEASE: Final = 78
# Here, and not in the worker: of another release nothing can be relied on, also not that it would find out.
_START: Final = f"""
import gc, sys
from importlib.metadata import version
sys.path.insert(0, sys.argv.pop(1))
if version("manyreads") != sys.argv.pop(1):
    sys.exit({OTHER_RELEASE})
gc.disable()
from proxy.workers.worker import main
gc.freeze()
gc.enable()
main()
"""


class Member:
    """`slot` is its place on the `board`. When it has `begun` it may be told things, when it is `ready` it may be asked
    things, and when it is `able` it takes clients.

    `figures` and `metrics` are what it has counted by the last time that it told, `levels` its other metrics then.
    """

    def __init__(self, slot: int, board: Board, handlers: Callable[["Member"], Mapping[str, Handler]]) -> None:
        self.slot = slot
        self.begun = False
        self.ready = False
        self.able = False
        self.figures = Figures()
        self.metrics: list[Metric] = []
        self.levels: list[Metric] = []
        self.peer = Peer(handlers(self))
        self._board = board
        self._given = 0
        self._clients, self._taken = socket.socketpair()
        self._clients.setblocking(False)
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, memory: int, wakes: int) -> int:
        """Start it, and wait for its end; returns its exit code. Raises OSError when it cannot be started."""
        own, end = socket.socketpair()
        descriptors = (end.fileno(), self._taken.fileno(), memory, wakes)
        with end, self._taken:
            await self.peer.open(own)
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-c", _START, _ROOT, RELEASE, *map(str, descriptors)),
                pass_fds=descriptors,
                stdin=asyncio.subprocess.DEVNULL,
            )
        code = await self._process.wait()
        # What it has said last is still to be heard.
        await happens(self.peer.gone, _LAST_WORDS)
        return code

    def kill(self) -> None:
        """End it, if it has not ended, and let go what it was reached by."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self.able = self.ready = self.begun = False
        self.peer.close()
        self._clients.close()

    def tell(self, name: str, value: Any) -> None:
        """Tell it something, if it is there to hear it."""
        with contextlib.suppress(PeerGone):
            if self.begun:
                self.peer.tell(name, value)

    def leave(self) -> None:
        """It ends by itself, and takes no more clients."""
        self.able = False

    @property
    def process(self) -> int:
        """Its process id, 0 before it is started."""
        return self._process.pid if self._process is not None else 0

    @property
    def load(self) -> int:
        """How many clients it has, also those that it has not welcomed yet."""
        return self._board.clients(self.slot) + self._given - self._board.welcomed(self.slot)

    def give(self, client: socket.socket) -> bool:
        """Hand a client over; False if it does not take one now."""
        try:
            socket.send_fds(self._clients, [b"c"], [client.fileno()])
        except OSError:
            return False
        self._given += 1
        return True

    def keep(self, figures: Figures, metrics: list[Metric]) -> None:
        """What it has counted by now."""
        self.figures, self.metrics = figures, metrics

    async def look(self) -> None:
        """Have its metrics as they are now; those of before, if it does not answer."""
        with contextlib.suppress(PeerGone):
            families: list[Metric] = await self.peer.ask("metrics")
            self.metrics = counted(families)
            self.levels = levels(families)
