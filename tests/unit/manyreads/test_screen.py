"""What `manyreads top` shows."""

import copy
import io
from typing import Any

from rich.console import Console

from manyreads.screen import screen

SERVER = {
    "name": "dbwrite",
    "role": "primary",
    "state": "healthy",
    "lag": None,
    "fresh": True,
    "reads": 0,
    "others": 100,
    "errors": 1,
    "connections": {"in_use": 1, "idle": 2, "free": 3, "waiting": 0, "limit": 0},
}
DIGEST = {
    "digest": "SELECT ?",
    "primary": 0,
    "replicas": 300,
    "reason": "read",
    "seconds": 0.3,
    "p95": 0.0025,
}
SESSION = {
    "number": 7,
    "user": "[bold]app",
    "client": "10.0.0.1:5",
    "phase": "working",
    "server": "dbwrite",
    "in_transaction": True,
    "statements": 3,
    "pins": ["temp-table"],
}
BEFORE: dict[str, Any] = {
    "version": "0.1.0",
    "uptime": 10.0,
    "draining": False,
    "event_loop_late": 0.001,
    "servers": [SERVER, {**SERVER, "name": "dbread1", "role": "replica", "state": "down", "lag": None, "fresh": False}],
    "freshness": {"waiting": 0},
    "digests": [DIGEST],
    "sessions": {"all": 1, "limit": 100, "shown": [SESSION]},
}


def shown(before: dict[str, Any], now: dict[str, Any], width: int = 120, height: int | None = None) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(screen(before, now, width, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def later() -> dict[str, Any]:
    now = copy.deepcopy(BEFORE)
    now["uptime"] = 12.0
    now["servers"][0]["others"] += 50
    now["servers"][1]["reads"] += 4000
    return now


def test_rates_are_per_second() -> None:
    text = shown(BEFORE, later())
    assert "2,025 statements/s" in text
    (primary,) = (line.split() for line in text.split("\n") if line.startswith("dbwrite"))
    assert primary == ["dbwrite", "primary", "healthy", "yes", "0", "25", "1", "5", "1"]
    (replica,) = (line.split() for line in text.split("\n") if line.startswith("dbread1"))
    assert replica == ["dbread1", "replica", "down", "unknown", "no", "2,000", "0", "1", "5", "1"]


def test_statements_and_sessions() -> None:
    text = shown(BEFORE, later())
    assert "300     0.30     1.00     2.5      100%  read    SELECT ?" in text
    assert "[bold]app  10.0.0.1:5  working dbwrite (trx)" in text
    assert "temp-table" in text


def test_a_proxy_that_began_anew_counts_from_there() -> None:
    now = later()
    now["uptime"] = 1.0
    assert "0 statements/s" in shown(BEFORE, now)


def test_it_fits_the_terminal() -> None:
    now = later()
    now["digests"] = [DIGEST] * 20
    now["sessions"]["shown"] = [SESSION] * 50
    lines = shown(BEFORE, now, 80, 24).rstrip("\n").split("\n")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert len(shown(BEFORE, now).split("\n")) > 70


def test_without_digests_and_sessions_there_are_no_empty_tables() -> None:
    now = later()
    now["digests"], now["sessions"]["shown"] = [], []
    assert "statement\n" not in shown(BEFORE, now)
