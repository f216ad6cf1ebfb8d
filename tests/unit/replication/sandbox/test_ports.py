"""Ports are claimed as long as their owner is there."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from replication.sandbox import ports
from topology.errors import ConfigError


@pytest.fixture(autouse=True)
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of the test's own, with sixteen ports."""
    monkeypatch.setattr(ports, "_registry", lambda: tmp_path / "registry")
    monkeypatch.setattr(ports, "_PORTS", range(1, 17))


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_nobody_listens", lambda port: True)


@pytest.mark.usefixtures("silence")
def test_a_claim_holds_while_its_owner_is_there(tmp_path: Path) -> None:
    owner = tmp_path / "owner"
    owner.touch()
    first, rest = ports.claim_ports(10, owner), ports.claim_ports(6, tmp_path)
    assert sorted(first + rest) == list(range(1, 17))
    with pytest.raises(ConfigError, match="no 1 ports are free in 1 to 16"):
        ports.claim_ports(1, tmp_path)
    owner.unlink()
    assert sorted(ports.claim_ports(10, tmp_path)) == sorted(first)


@pytest.mark.usefixtures("silence")
def test_those_who_ask_at_once_get_different_ports(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        given = list(pool.map(lambda _: ports.claim_ports(1, tmp_path)[0], range(16)))
    assert sorted(given) == list(range(1, 17))


def test_a_port_that_somebody_listens_on_is_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(ports, "_PORTS", range(taken, taken + 1))
        with pytest.raises(ConfigError, match="no 1 ports are free"):
            ports.claim_ports(1, tmp_path)
