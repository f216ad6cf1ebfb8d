"""One local server: starting, stopping, killing, freezing, and knowing whether it runs."""

import asyncio
import logging
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

from replication.sandbox import records
from replication.sandbox.processes import Process, find_serving, inspect, send_signal, spawn_detached, wait_until_gone
from replication.sandbox.programs import ServerProgram, find_server
from replication.sandbox.settings import Layout
from topology.errors import ServerError
from topology.servers import Role, Server
from topology.servers import Vendor as Flavor
from topology.sqlclient import connected

_log = logging.getLogger(__name__)

# Generous, for a slow and busy machine: a start takes about a second, a clean shutdown less than that.
_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_KILL_SECONDS = 30.0
_POLL_SECONDS = 0.05
_PROTOCOL_VERSION = 10


class ServerStatus(StrEnum):
    """What can be seen of a server from outside."""

    RUNNING = "running"
    STOPPED = "stopped"
    NOT_ANSWERING = "not answering"


class LocalServer:
    """A server of a sandbox. All it knows is in files, so that any number of objects and programs may speak of it."""

    host = records.LOOPBACK
    user = records.ROOT

    def __init__(self, record: records.ServerRecord, flavor: Flavor, layout: Layout) -> None:
        self.name = record.name
        self.server_id = record.server_id
        self.port = record.port
        self.password = record.password
        self.url = records.url(record)
        self.flavor = flavor
        self.layout = layout

    def __repr__(self) -> str:
        return f"<LocalServer {self.name} {self.host}:{self.port}>"

    @property
    def socket(self) -> Path:
        return self.layout.socket

    @property
    def datadir(self) -> Path:
        return self.layout.datadir

    @property
    def error_log(self) -> Path:
        return self.layout.error_log

    @property
    def pid(self) -> int | None:
        """The id of the running process, None if there is none."""
        process = self._process()
        return process.pid if process else None

    def running(self) -> bool:
        """Whether the process is there; a frozen one is."""
        return self._process() is not None

    def status(self) -> ServerStatus:
        """Asks the server for its greeting, for at most 2 seconds."""
        process = self._process()
        if process is None:
            return ServerStatus.STOPPED
        return ServerStatus.RUNNING if self._answers(process, within=2.0) else ServerStatus.NOT_ANSWERING

    def start(self) -> None:
        """Start the server, unless it runs, and wait until it answers. Raises ServerError with the end of its log."""
        self.launch(find_server(self.flavor))
        self.wait_until_ready()

    def launch(self, program: ServerProgram) -> None:
        """Start the server, unless it runs, without waiting. Its data directory must be there."""
        if self.running():
            return
        layout = self.layout
        if not layout.datadir.is_dir():
            raise ServerError(f"{self.name} has no data directory {layout.datadir}", "run up, which makes it")
        for leftover in (layout.process_file, layout.pid_file, layout.socket, layout.socket_lock):
            leftover.unlink(missing_ok=True)
        layout.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        pid = spawn_detached(self._command(program), layout.error_log)
        if process := inspect(pid):
            records.write_process(layout.process_file, process)

    def wait_until_ready(self) -> None:
        """Wait until a launched server sends its greeting, and on its first start until a login works."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            process = self._process()
            if process is None:
                raise ServerError(f"{self.name} did not start; its log ends:\n{self._log_tail()}", self._see_log())
            if self._answers(process, within=1.0):
                break
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} runs but did not answer in {_START_SECONDS:.0f} s", self._see_log())
            time.sleep(_POLL_SECONDS)
        self._prove_accounts()

    def stop(self) -> None:
        """Shut down cleanly, and wait. A server that takes longer than a minute is killed, which is logged."""
        while process := self._process():
            self.request_stop()
            if not wait_until_gone(process, _STOP_SECONDS):
                _log.warning(
                    "%s did not shut down in %.0f s and is killed; see %s", self.name, _STOP_SECONDS, self.error_log
                )
                self._kill(process)

    def request_stop(self) -> None:
        """Ask for a clean shutdown without waiting; asking twice does no harm.

        A server that is still starting is killed: nobody can have written to it, and MariaDB 10.11 was seen to hang for
        good when SIGTERM came within its first tenth of a second.
        """
        process = self._process()
        if process is None:
            return
        if self._announced_pid() != process.pid:
            send_signal(process, signal.SIGKILL)
            return
        send_signal(process, signal.SIGTERM)
        # A frozen process gets to see the other signal only when it is thawed.
        send_signal(process, signal.SIGCONT)

    def request_kill(self) -> None:
        """SIGKILL without waiting; nothing happens if it does not run."""
        if process := self._process():
            send_signal(process, signal.SIGKILL)

    def kill(self) -> None:
        """SIGKILL, and wait until the process is gone."""
        while process := self._process():
            self._kill(process)

    def freeze(self) -> None:
        """SIGSTOP: the server keeps its connections and accepts new ones, but says nothing any more."""
        send_signal(self._running_process(), signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: end a freeze."""
        send_signal(self._running_process(), signal.SIGCONT)

    def _kill(self, process: Process) -> None:
        send_signal(process, signal.SIGKILL)
        if not wait_until_gone(process, _KILL_SECONDS):
            raise ServerError(
                f"{self.name} (process {process.pid}) cannot be killed", "see why: ps -o stat,wchan -p PID"
            )

    def _running_process(self) -> Process:
        process = self._process()
        if process is None:
            raise ServerError(f"{self.name} is not running", "start it first")
        return process

    def _process(self) -> Process | None:
        record = records.recorded_process(self.layout.process_file)
        if record is not None:
            return records.living(record, self.datadir)
        # Whoever started the server was killed before it could write down the process, or it was never started.
        return find_serving(self.datadir)

    def _command(self, program: ServerProgram) -> list[str | Path]:
        layout = self.layout
        # The data directory is in the option file too; here it makes the process recognisable.
        command: list[str | Path] = [
            program.path,
            f"--defaults-file={layout.option_file}",
            f"--datadir={layout.datadir}",
        ]
        if layout.accounts_file.exists():
            command.append(f"--init-file={layout.accounts_file}")
        return command

    def _answers(self, process: Process, within: float) -> bool:
        # The id in the file shows that the port is this server's: it is written after listening succeeded.
        return self._announced_pid() == process.pid and greets(self.host, self.port, within)

    def _announced_pid(self) -> int | None:
        try:
            text = self.layout.pid_file.read_text().strip()
        except FileNotFoundError:
            return None
        return int(text) if text.isdecimal() else None

    def _prove_accounts(self) -> None:
        if self.layout.accounts_file.exists():
            # In a thread of its own, for a caller that runs an event loop in this one.
            with ThreadPoolExecutor(max_workers=1) as executor:
                executor.submit(lambda: asyncio.run(self._log_in())).result()
            self.layout.accounts_file.unlink(missing_ok=True)

    async def _log_in(self) -> None:
        server = Server(self.name, self.host, self.port, Role.REPLICA, self.user, self.password)
        async with connected(server, within=30) as client:
            # MySQL remembers a successful login, which makes the next one shorter; a new server remembers none.
            await client.query("FLUSH LOCAL PRIVILEGES")

    def _log_tail(self, lines: int = 12) -> str:
        try:
            return "\n".join(self.error_log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(there is no log)"

    def _see_log(self) -> str:
        return f"see {self.error_log}"


def greets(host: str, port: int, within: float) -> bool:
    """Whether something at this address sends the first packet of the MySQL protocol within `within` seconds."""
    try:
        with socket.create_connection((host, port), timeout=within) as connection:
            connection.settimeout(within)
            # Three bytes of length, a sequence number, then the protocol's version.
            start = connection.recv(5, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(start) == 5 and start[4] == _PROTOCOL_VERSION
