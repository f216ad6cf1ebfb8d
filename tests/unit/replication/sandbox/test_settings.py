"""The option file and the account statements, as values."""

from pathlib import Path

import pytest

from replication.sandbox.settings import Layout, account_statements, check_options, option_file, server_options
from topology.errors import ConfigError
from topology.servers import Vendor as Flavor

LAYOUT = Layout(Path("/box/dbread1"), Path("/box/dbread1/server.sock"))


def options(flavor: Flavor, *, user: str | None = None, **extra: str) -> dict[str, str]:
    return server_options(flavor, LAYOUT, server_id=1001, port=23456, user=user, extra=extra)


@pytest.mark.parametrize("flavor", list(Flavor))
def test_every_server_listens_on_loopback_and_logs_changes(flavor: Flavor) -> None:
    made = options(flavor)
    assert made["bind_address"] == "127.0.0.1"
    assert made["port"] == "23456"
    assert made["server_id"] == "1001"
    assert made["log_bin"] == "binlog"
    assert made["datadir"] == "/box/dbread1/data"
    assert "skip_name_resolve" not in made
    assert "user" not in made


def test_gtid_options_differ() -> None:
    assert options(Flavor.MYSQL)["gtid_mode"] == "ON"
    assert "gtid_mode" not in options(Flavor.MARIADB)
    assert options(Flavor.MARIADB)["log_slave_updates"] == "ON"


def test_extra_options_win_however_they_are_spelt() -> None:
    made = server_options(
        Flavor.MARIADB, LAYOUT, server_id=1, port=1, user="root", extra={"innodb-buffer-pool-size": "1G"}
    )
    assert made["innodb_buffer_pool_size"] == "1G"
    assert made["user"] == "root"


@pytest.mark.parametrize("name", ["", "a b", "port=1\n[client]", "1x"])
def test_names_that_are_no_option_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="not the name of a server option"):
        check_options({name: "1"})


@pytest.mark.parametrize("value", ['a"b', "a\nb", "a\\b"])
def test_values_that_an_option_file_cannot_hold_are_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="option init_connect"):
        check_options({"init_connect": value})


def test_option_file_quotes_what_needs_it() -> None:
    text = option_file({"port": "3", "init_connect": "SET @a = 1 # b", "skip_networking": ""})
    assert text == '[mysqld]\nport = 3\ninit_connect = "SET @a = 1 # b"\nskip_networking\n'


@pytest.mark.parametrize("flavor", list(Flavor))
def test_accounts_are_made_outside_the_binary_log(flavor: Flavor) -> None:
    lines = account_statements(flavor, "pw1").splitlines()
    assert lines[0] == "SET SESSION sql_log_bin = 0;"
    assert all(line.endswith(";") for line in lines)
    assert "{" not in "".join(lines)
    for host in ("localhost", "%"):
        assert f"GRANT ALL PRIVILEGES ON *.* TO 'root'@'{host}' WITH GRANT OPTION;" in lines
    assert sum("'pw1'" in line for line in lines) == 2


def test_password_that_would_need_quoting_is_refused() -> None:
    with pytest.raises(ValueError, match="letters and digits"):
        account_statements(Flavor.MYSQL, "a'b")
