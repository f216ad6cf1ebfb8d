"""The vendor's command-line clients: where they are, and how they are told the way to a server."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from replication.errors import Refused
from topology.environment import process_environment
from topology.servers import Server, ServerTls, Vendor

_NAMES = {
    Vendor.MARIADB: (("mariadb-dump", "mysqldump"), ("mariadb", "mysql")),
    Vendor.MYSQL: (("mysqldump",), ("mysql",)),
}
_VARIABLES = ("MANYREADS_DUMP", "MANYREADS_CLIENT")
_MYSQL_TLS = {
    ServerTls.OFF: "DISABLED",
    ServerTls.PREFERRED: "PREFERRED",
    ServerTls.REQUIRED: "REQUIRED",
    ServerTls.VERIFY_CA: "VERIFY_CA",
    ServerTls.VERIFY_FULL: "VERIFY_IDENTITY",
}


@dataclass(frozen=True, slots=True)
class Clients:
    """The programs that write a dump and that read one."""

    dump: Path
    load: Path


async def find_clients(vendor: Vendor, environment: Mapping[str, str] | None = None) -> Clients:
    """Those of `vendor`: what MANYREADS_DUMP and MANYREADS_CLIENT name, else from PATH.

    Each vendor's programs do not know the other's servers well enough. Raises Refused when there are none.
    """
    variables = process_environment() if environment is None else environment
    found = [
        await _find(vendor, variables.get(variable, ""), names, variables.get("PATH"))
        for variable, names in zip(_VARIABLES, _NAMES[vendor], strict=True)
    ]
    dump, load = found
    if dump is None or load is None:
        names = " and ".join(each[0] for each in _NAMES[vendor])
        raise Refused(
            f"{vendor}'s own {names} are not installed here, which --method dump needs",
            f"install them, or name them: {' and '.join(_VARIABLES)}; or use --method stream, which needs nothing",
        )
    return Clients(dump, load)


async def _find(vendor: Vendor, named: str, names: tuple[str, ...], path: str | None) -> Path | None:
    for candidate in (named,) if named else names:
        found = shutil.which(candidate, path=path)
        if found and await _vendor_of(found) is vendor:
            return Path(found)
    return None


async def _vendor_of(program: str) -> Vendor:
    asked = await asyncio.create_subprocess_exec(
        program, "--no-defaults", "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    answer, _ = await asked.communicate()
    return Vendor.MARIADB if re.search(b"mariadb", answer, re.IGNORECASE) else Vendor.MYSQL


@contextmanager
def option_file(server: Server, vendor: Vendor) -> Iterator[Path]:
    """A file for --defaults-file with the way to `server`: a password on the command line could be seen by others."""
    with tempfile.NamedTemporaryFile("w", prefix="manyreads-", suffix=".cnf") as file:
        file.write(option_text(server, vendor))
        file.flush()
        yield Path(file.name)


def option_text(server: Server, vendor: Vendor) -> str:
    """The content of such a file."""
    options = {
        "host": server.host,
        "port": str(server.port),
        "user": server.user,
        "password": server.password,
        "protocol": "tcp",
        "max-allowed-packet": "1G",
        **_tls(server, vendor),
    }
    return "\n".join(("[client]", *(f'{key}="{_escaped(value)}"' for key, value in options.items()), ""))


def _tls(server: Server, vendor: Vendor) -> dict[str, str]:
    policy = server.tls
    files = {"ssl-ca": policy.ca, "ssl-cert": policy.certificate, "ssl-key": policy.key}
    named = {key: str(path) for key, path in files.items() if path is not None}
    if vendor is Vendor.MYSQL:
        return {"ssl-mode": _MYSQL_TLS[policy.mode], "get-server-public-key": "1", **named}
    if policy.mode is ServerTls.OFF:
        return {"skip-ssl": "1"}
    verifies = policy.mode in (ServerTls.VERIFY_CA, ServerTls.VERIFY_FULL)
    return {"ssl": "1", "ssl-verify-server-cert": str(int(verifies)), **named}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
