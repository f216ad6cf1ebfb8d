"""How the vendors' clients are found and told the way to a server."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from replication.copy.clients import Clients, find_clients, option_text
from replication.errors import Refused
from topology.servers import Role, Server, ServerTls, TlsPolicy, Vendor

SERVER = Server("dbwrite", "10.0.0.1", 3307, Role.PRIMARY, "root", 'a"b\\c')


def program(directory: Path, name: str, version: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{name} {version}'\n")
    path.chmod(0o755)
    return path


def found(vendor: Vendor, **environment: str) -> Clients:
    return asyncio.run(find_clients(vendor, environment))


def test_the_vendors_own_are_taken_from_the_path(tmp_path: Path) -> None:
    dump = program(tmp_path, "mysqldump", "Ver 10.19 Distrib 10.11.6-MariaDB")
    load = program(tmp_path, "mariadb", "from 11.8.2-MariaDB, client 15.2")
    assert found(Vendor.MARIADB, PATH=str(tmp_path)) == Clients(dump, load)
    with pytest.raises(Refused, match="mysql's own mysqldump and mysql are not installed") as refused:
        found(Vendor.MYSQL, PATH=str(tmp_path))
    assert "MANYREADS_DUMP" in refused.value.remedy


def test_what_is_named_wins(tmp_path: Path) -> None:
    dump, load = program(tmp_path, "d", "Ver 9.7.0 for Linux"), program(tmp_path, "l", "Ver 9.7.0 for Linux")
    assert found(Vendor.MYSQL, PATH="", MANYREADS_DUMP=str(dump), MANYREADS_CLIENT=str(load)) == Clients(dump, load)


def test_the_option_file_holds_any_password() -> None:
    text = option_text(SERVER, Vendor.MARIADB)
    assert text.startswith("[client]\n")
    assert 'password="a\\"b\\\\c"\n' in text
    assert 'port="3307"\n' in text
    assert 'skip-ssl="1"\n' in text


@pytest.mark.parametrize(
    ("vendor", "mode", "lines"),
    [
        (Vendor.MYSQL, ServerTls.OFF, {'ssl-mode="DISABLED"'}),
        (Vendor.MYSQL, ServerTls.VERIFY_FULL, {'ssl-mode="VERIFY_IDENTITY"', 'ssl-ca="/ca.pem"'}),
        (Vendor.MARIADB, ServerTls.REQUIRED, {'ssl="1"', 'ssl-verify-server-cert="0"', 'ssl-ca="/ca.pem"'}),
        (Vendor.MARIADB, ServerTls.VERIFY_CA, {'ssl="1"', 'ssl-verify-server-cert="1"'}),
    ],
)
def test_tls_is_as_the_policy_has_it(vendor: Vendor, mode: ServerTls, lines: set[str]) -> None:
    server = replace(SERVER, tls=TlsPolicy(mode, Path("/ca.pem")))
    assert lines <= set(option_text(server, vendor).splitlines())
