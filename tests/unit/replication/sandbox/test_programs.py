"""Telling MariaDB's server from MySQL's, and where programs are looked for."""

import stat
from pathlib import Path

import pytest

from replication.sandbox.programs import ServerVersion, find_server, parse_version, servers_directory
from topology.errors import ConfigError
from topology.servers import Vendor as Flavor

MARIADB_LINE = "mariadbd  Ver 10.11.6-MariaDB-0+deb12u1-log for debian-linux-gnu on x86_64 (Debian 12)"
MYSQL_LINE = "/opt/mysql/bin/mysqld  Ver 8.4.3 for Linux on aarch64 (MySQL Community Server - GPL)"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (MARIADB_LINE, ServerVersion(Flavor.MARIADB, (10, 11, 6))),
        ("/usr/sbin/mysqld  Ver 11.8.1-MariaDB for osx10.20 on arm64", ServerVersion(Flavor.MARIADB, (11, 8, 1))),
        (MYSQL_LINE, ServerVersion(Flavor.MYSQL, (8, 4, 3))),
        ("mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", ServerVersion(Flavor.MYSQL, (9, 7, 4))),
        ("mysqld: command not found", None),
        ("", None),
    ],
)
def test_version_lines(line: str, expected: ServerVersion | None) -> None:
    assert parse_version(line) == expected


def program(path: Path, line: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{line}'\n")
    path.chmod(stat.S_IRWXU)
    return path


def test_servers_directory_can_be_named() -> None:
    assert servers_directory({"MANYREADS_SERVERS": "/srv/databases"}) == Path("/srv/databases")
    assert servers_directory({}) == Path.home() / ".cache/manyreads/servers"


def test_variable_wins(tmp_path: Path) -> None:
    own = program(tmp_path / "mysql/bin/mysqld", MYSQL_LINE)
    named = program(tmp_path / "elsewhere/mysqld", MYSQL_LINE)
    variables = {"MANYREADS_SERVERS": str(tmp_path), "PATH": ""}
    assert find_server(Flavor.MYSQL, variables).path == own
    assert find_server(Flavor.MYSQL, {**variables, "MANYREADS_MYSQLD": str(named)}).path == named


def test_own_root_is_looked_at_before_path(tmp_path: Path) -> None:
    own = program(tmp_path / "servers/mysql/bin/mysqld", MYSQL_LINE)
    program(tmp_path / "bin/mysqld", MYSQL_LINE)
    variables = {"MANYREADS_SERVERS": str(tmp_path / "servers"), "PATH": str(tmp_path / "bin")}
    assert find_server(Flavor.MYSQL, variables).path == own


def test_mysqld_that_is_mariadb_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path / "servers/mysql/bin/mysqld", MARIADB_LINE)
    right = program(tmp_path / "bin/mysqld", MYSQL_LINE)
    variables = {"MANYREADS_SERVERS": str(tmp_path / "servers"), "PATH": str(tmp_path / "bin")}
    assert find_server(Flavor.MYSQL, variables).path == right


def test_variable_that_names_the_other_vendor_is_refused(tmp_path: Path) -> None:
    wrong = program(tmp_path / "mysqld", MARIADB_LINE)
    with pytest.raises(ConfigError, match=r"MANYREADS_MYSQLD names .*, which is mariadb 10\.11\.6"):
        find_server(Flavor.MYSQL, {"MANYREADS_MYSQLD": str(wrong)})


def test_variable_that_names_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not run as a server"):
        find_server(Flavor.MARIADB, {"MANYREADS_MARIADBD": str(tmp_path / "absent")})
