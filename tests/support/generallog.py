"""Where a client's statements ran: the general logs of the servers, read from their files."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from replication.sandbox import Cluster, LocalServer
from tests.support.clients import direct, run

# A line that begins an entry: a time, if it is another than before, the thread, the command, its argument.
_ENTRY: Final = re.compile(r"^(?:\d\S* *[\d:]*)?\t+ *(\d+) ([A-Z][A-Za-z ]*)\t", re.MULTILINE)


class GeneralLog:
    """One server's log from now on, of the connections that `user` opens."""

    def __init__(self, file: Path, user: str) -> None:
        self._file = file
        self._user = f"{user}@"
        self._position = file.stat().st_size if file.exists() else 0
        self._threads: set[int] = set()

    def news(self, without: int = -1) -> list[str]:
        """What ran since the last call; not by the thread `without`."""
        with self._file.open(errors="replace") as opened:
            opened.seek(self._position)
            text = opened.read()
            self._position = opened.tell()
        parts = _ENTRY.split(text)
        found = []
        for thread, command, argument in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            if command == "Connect" and argument.startswith(self._user):
                self._threads.add(int(thread))
            elif int(thread) in self._threads and int(thread) != without:
                found.append(argument.removesuffix("\n"))
        return found


@contextmanager
def general_logs(cluster: Cluster, user: str) -> Iterator[dict[str, GeneralLog]]:
    """The logs of all servers, by name, switched on for this time."""
    with ExitStack() as stack:
        yield {server.name: stack.enter_context(_logging(cluster, server, user)) for server in cluster.servers}


@contextmanager
def _logging(cluster: Cluster, server: LocalServer, user: str) -> Iterator[GeneralLog]:
    with direct(cluster, server) as connection:
        ((directory, name, output),) = run(connection, "SELECT @@datadir, @@general_log_file, @@log_output")
        file = Path(directory) / name
        run(connection, "SET GLOBAL log_output = 'FILE'")
        run(connection, "SET GLOBAL general_log = ON")
        try:
            yield GeneralLog(file, user)
        finally:
            run(connection, "SET GLOBAL general_log = OFF")
            run(connection, f"SET GLOBAL log_output = '{output}'")
            file.unlink(missing_ok=True)
