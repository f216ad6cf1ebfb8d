"""A sandbox: one dbwrite and its dbread*, made, found again and taken down as a whole."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from replication.sandbox import records
from replication.sandbox.datadir import blank_datadir, copy_datadir, kept_datadir, remove_template, system_user
from replication.sandbox.lock import LOCK_NAME, abandon, locked
from replication.sandbox.ports import claim_ports
from replication.sandbox.programs import ServerProgram, find_server
from replication.sandbox.server import LocalServer
from replication.sandbox.settings import Layout, account_statements, check_options, option_file, server_options
from topology.errors import ConfigError, ManyreadsError
from topology.servers import Vendor as Flavor

# sun_path has 108 bytes on Linux and 104 on macOS, with a zero byte at the end.
_LONGEST_SOCKET_PATH = 103
_MOST_READERS = 99


class Cluster:
    """The servers in one directory, the first of which is dbwrite. Made by `up` or `load`, not by hand."""

    def __init__(self, directory: Path, record: records.ClusterRecord) -> None:
        self.directory = directory
        self.flavor = record.flavor
        self.options = dict(record.options)
        self.servers = tuple(
            LocalServer(server, record.flavor, Layout(directory / server.name, server.socket))
            for server in record.servers
        )
        self._record = record

    @classmethod
    def up(
        cls,
        directory: Path,
        flavor: Flavor,
        readers: int = 2,
        options: Mapping[str, str] | None = None,
        templates: Path | None = None,
    ) -> Self:
        """Start one dbwrite and `readers` dbread*, blank; or, in a sandbox's directory, those that are down.

        `options` are further server options for all, by name. `templates` is a directory where blank data directories
        are kept, for whoever starts many sandboxes; without it they are made anew. Returns when all answer. If one
        cannot, those started here are stopped, the directory is left for inspection, and a ManyreadsError tells why.
        Raises ConfigError for a directory that holds another sandbox or anything else.
        """
        directory = directory.absolute()
        with locked(directory):
            cluster = cls._existing(directory) or cls._new(directory, flavor, readers, options or {})
            cluster._refuse_difference(flavor, readers, options)
            cluster._start(templates)
        return cluster

    @classmethod
    def load(cls, directory: Path) -> Self:
        """The sandbox in `directory`, whether its servers run or not. Raises ConfigError if there is none."""
        directory = directory.absolute()
        cluster = cls._existing(directory)
        if cluster is None:
            raise ConfigError(f"there is no sandbox in {directory}", "start one: python -m replication.sandbox up")
        return cluster

    def down(self, keep: bool = False) -> None:
        """End all servers and remove what `up` made; or, with `keep`, shut them down cleanly. May be called again.

        A clean shutdown of MySQL takes a primary ten seconds, which it gives its replicas to leave by themselves.
        """
        with locked(self.directory):
            for server in self.servers:
                if keep:
                    server.request_stop()
                else:
                    server.request_kill()
            for server in self.servers:
                server.stop()
            remove_template(self._template)
            if not keep:
                self._remove()
                abandon(self.directory)

    def server(self, name: str) -> LocalServer:
        """The server of this name. Raises ConfigError if there is none."""
        for server in self.servers:
            if server.name == name:
                return server
        known = ", ".join(server.name for server in self.servers)
        raise ConfigError(f"the sandbox in {self.directory} has no server {name!r}", f"it has {known}")

    @property
    def environment_file(self) -> Path:
        """environment.json in dotCloud's format."""
        return self.directory / "environment.json"

    @property
    def _template(self) -> Path:
        return self.directory / "template"

    @classmethod
    def _existing(cls, directory: Path) -> Self | None:
        record = records.read_cluster(_cluster_file(directory))
        return cls(directory, record) if record else None

    @classmethod
    def _new(cls, directory: Path, flavor: Flavor, readers: int, options: Mapping[str, str]) -> Self:
        try:
            record = _new_record(directory, flavor, readers, options)
        except ManyreadsError:
            abandon(directory)
            raise
        # Before anything is started: whoever comes after a killed `up` finds the servers through this file.
        records.write_cluster(_cluster_file(directory), record)
        return cls(directory, record)

    def _refuse_difference(self, flavor: Flavor, readers: int, options: Mapping[str, str] | None) -> None:
        differences = {
            "flavor": (self.flavor, flavor),
            "readers": (len(self.servers) - 1, readers),
            "options": (self.options, self.options if options is None else dict(options)),
        }
        for name, (existing, wanted) in differences.items():
            if existing != wanted:
                raise ConfigError(
                    f"the sandbox in {self.directory} has {name} {existing}, not {wanted}",
                    "ask for what it has, take it down first, or name another directory",
                )

    def _start(self, templates: Path | None) -> None:
        program = find_server(self.flavor)
        self._prepare(program, templates)
        records.write_environment(self.environment_file, self._record)
        launched = [server for server in self.servers if not server.running()]
        try:
            for server in launched:
                server.launch(program)
            for server in self.servers:
                server.wait_until_ready()
        except BaseException:
            for server in launched:
                server.stop()
            raise

    def _prepare(self, program: ServerProgram, templates: Path | None) -> None:
        blank = [server for server in self.servers if not server.datadir.exists()]
        if not blank:
            return
        made = kept_datadir(program, templates) if templates else blank_datadir(program, self._template)
        with made as template:
            for server in blank:
                self._write_files(server)
                copy_datadir(template, server.datadir)

    def _write_files(self, server: LocalServer) -> None:
        layout = server.layout
        layout.home.mkdir(mode=0o700, exist_ok=True)
        layout.tmpdir.mkdir(mode=0o700, exist_ok=True)
        options = server_options(
            self.flavor,
            layout,
            server_id=server.server_id,
            port=server.port,
            user=system_user(),
            extra=self.options,
        )
        records.write_private(layout.option_file, option_file(options))
        records.write_private(layout.accounts_file, account_statements(self.flavor, server.password))

    def _remove(self) -> None:
        # By name, never the whole directory: nothing is removed that was not made here.
        for server in self.servers:
            shutil.rmtree(server.layout.home, ignore_errors=True)
        if self._record.socket_directory:
            shutil.rmtree(self._record.socket_directory, ignore_errors=True)
        self.environment_file.unlink(missing_ok=True)
        _cluster_file(self.directory).unlink(missing_ok=True)


def _cluster_file(directory: Path) -> Path:
    return directory / "cluster.json"


def _refuse_foreign_files(directory: Path) -> None:
    # What a killed `up` may leave before it has written cluster.json.
    ours = {LOCK_NAME, f"{_cluster_file(directory).name}.part"}
    others = sorted(entry.name for entry in directory.iterdir() if entry.name not in ours)
    if others:
        raise ConfigError(f"{directory} is not a sandbox but holds {others[0]}", "name a new or empty directory")


def _new_record(directory: Path, flavor: Flavor, readers: int, options: Mapping[str, str]) -> records.ClusterRecord:
    _refuse_foreign_files(directory)
    if not 0 <= readers <= _MOST_READERS:
        raise ConfigError(f"a sandbox cannot have {readers} readers", f"ask for 0 to {_MOST_READERS}")
    check_options({"datadir": str(directory), **options})
    find_server(flavor)
    names = records.server_names(readers)
    sockets = _socket_directory(directory, names)
    # Claimed as long as the sandbox is not taken down.
    ports = claim_ports(len(names), directory / LOCK_NAME)
    servers = tuple(
        records.ServerRecord(
            name=name,
            server_id=server_id,
            port=port,
            socket=sockets / f"{name}.sock" if sockets else directory / name / "server.sock",
            password=records.new_password(),
        )
        for name, server_id, port in zip(names, records.server_ids(readers), ports, strict=True)
    )
    return records.ClusterRecord(flavor=flavor, servers=servers, options=options, socket_directory=sockets)


def _socket_directory(directory: Path, names: tuple[str, ...]) -> Path | None:
    """A short directory for the sockets, if their paths would be too long beside the data; else None."""
    longest = max(len(os.fsencode(directory / name / "server.sock")) for name in names)
    if longest <= _LONGEST_SOCKET_PATH:
        return None
    return Path(tempfile.mkdtemp(prefix="manyreads-", dir="/tmp"))
