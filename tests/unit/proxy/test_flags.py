"""The command line is made of the settings, and all three ways to set one are named alike."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from manyreads.__main__ import app
from topology.config import Settings

ROOT = Path(__file__).parents[3]
RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.delenv("MANYREADS_CONFIG", raising=False)


def shown(*arguments: str, code: int = 0) -> str:
    found = RUNNER.invoke(app, arguments)
    assert found.exit_code == code, found.output
    return found.output


@pytest.mark.parametrize("command", ["run", "check", "config"])
def test_each_command_has_a_flag_for_each_key(command: str) -> None:
    group = typer.main.get_command(app)
    names = {name for each in group.commands[command].params for name in each.opts}  # type: ignore[attr-defined]
    assert {"--" + key.replace("_", "-") for key in Settings.model_fields} <= names


def test_every_key_is_documented() -> None:
    documented = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs/operating.md").read_text(encoding="utf-8")))
    assert set(Settings.model_fields) - documented == set()


def test_defaults_are_as_documented() -> None:
    pages = "\n".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("operating.md", "sharing.md"))
    told = dict(re.findall(r"^\| `([a-z_]+)` \| `?([\w.:-]+)`? \|", pages, re.MULTILINE))
    own = {key: field.default for key, field in Settings.model_fields.items() if key in told}
    assert len(own) > 35
    assert {key: told[key] for key in own} == {key: _written(value) for key, value in own.items()}


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def test_flags_are_merged_over_the_file_and_explained(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text("max_lag = 3\nlogin_timeout = 4\n", encoding="utf-8")
    flags = ["--login-timeout", "5", "--no-kill-on-disconnect", "--reader", "mysql://h:1", "--reader", "mysql://h:2"]
    lines = shown("config", "--config", str(file), "--explain", *flags).splitlines()
    assert f"max_lag = 3.0  # {file}:1" in lines
    assert "login_timeout = 5.0  # --login-timeout" in lines
    assert "kill_on_disconnect = false  # --kill-on-disconnect" in lines
    assert 'readers = ["mysql://root@h:1", "mysql://root@h:2"]  # --readers' in lines
    assert 'tls = "preferred"' in shown("config").splitlines()


def test_settings_that_cannot_be_used_have_all_faults_shown(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text("max_lag = 0\ntls_client_ca = '/none'\n", encoding="utf-8")
    assert shown("check", str(file), code=2) == f"{file}:1: max_lag: must be greater than 0\n"
    file.write_text(f"tls_client_ca = '/none'\nserver_tls_ca = '{file}'\nserver_tls = 'verify-ca'\n", encoding="utf-8")
    lines = shown("check", str(file), code=2).splitlines()
    assert lines[0].startswith(f"{file}:1: tls_client_ca: cannot read the CA file /none: ")
    assert lines[1].startswith(f"{file}:3: server_tls: {file} holds no CA certificate")
    assert lines[2].startswith("writer: no servers are named")
    assert len(lines) == 3


def test_a_certificate_without_its_key_is_found(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("nothing\n", encoding="utf-8")
    found = shown("check", "--writer", "mysql://h:1", "--tls-certificate", str(tmp_path / "c.pem"), code=2)
    assert found.startswith("--tls-certificate: tls_certificate: no certificate with its key is in ")


def test_servers_that_cannot_be_are_found(tmp_path: Path) -> None:
    found = shown("check", "--writer", "mysql://h:1", "--reader", "mysql://h:1", code=2)
    assert found.startswith("--readers: readers: dbwrite and dbread1 are both at h:1; ")


def test_settings_that_can_be_used_are_summed_up_with_doubts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYREADS_MAX_LAGG", "1")
    flags = ["--writer", "mysql://h:1", "--reader", "mysql://h:2", "--rules", "[{user = 'u', replica = 'elsewhere'}]"]
    flags += ["--weights", "dbread1=2,dbread9=3"]
    assert shown("check", *flags).splitlines() == [
        "warning: MANYREADS_MAX_LAGG: there is no such variable; did you mean MANYREADS_MAX_LAG?",
        "warning: rule 1 names the replica 'elsewhere', which there is not",
        "warning: weights names the replica 'dbread9', which there is not",
        "the settings can be used: writes to dbwrite (h:1), reads to dbread1 (h:2)",
    ]


def test_one_address_is_enough() -> None:
    flags = ["--writer", "mysql://h:1"]
    of_primary = "the settings can be used: writes to dbwrite (h:1), reads to"
    # Which replicas there are is not known yet.
    assert shown("check", *flags, "--weights", "dbread9=3") == f"{of_primary} the replicas that it names\n"
    assert shown("check", *flags, "--no-find-replicas") == f"{of_primary} no replicas\n"


def test_the_proxy_tells_all_faults_of_its_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "proxy", "--max-lag", "0", "--tls", "on"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, env={"HOME": str(tmp_path)})
    assert done.returncode == 2
    assert "--max-lag: max_lag: must be greater than 0\n" in done.stderr
    assert "--tls: tls: must be 'off', 'preferred' or 'required'" in done.stderr
