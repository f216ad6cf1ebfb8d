"""Where settings come from, what is said of those that are wrong, and how those in force are shown."""

import tomllib
from pathlib import Path

import pytest

from topology.config import Settings
from topology.effective import effective
from topology.settings import Fault, SettingsError, load, misspelt

NOTHING: dict[str, str] = {}


def written(tmp_path: Path, text: str, name: str = "m.toml") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def faults(
    file: Path | None, variables: dict[str, str] | None = None, flags: dict[str, object] | None = None
) -> list[str]:
    """What is said, with file names without their directory."""
    with pytest.raises(SettingsError) as caught:
        load(file, variables or {}, flags or {})
    assert str(caught.value).startswith("\n".join(map(str, caught.value.faults)))
    return [str(fault).removeprefix(f"{file.parent}/" if file else "") for fault in caught.value.faults]


def test_every_fault_has_its_line_its_key_what_is_allowed_and_what_was_meant(tmp_path: Path) -> None:
    text = """\
# of the proxy
max_lagg = 1
tls = "prefered"

readers = [
  "mysql://h:1",
  "h:2",
]
drain_timeout = 0
[[rules]]
user = "u"
targt = "primary"
[[rules]]
target = "replika"
consistency = "globl"
[[accounts]]
user = "x"
"""
    assert faults(written(tmp_path, text), {"MANYREADS_MAX_CONNECTIONS": "many"}, {"probe_interval": "soon"}) == [
        "--probe-interval: probe_interval: must be a number, without a unit",
        "MANYREADS_MAX_CONNECTIONS: max_connections: must be a whole number",
        "m.toml:2: max_lagg: there is no such key; did you mean 'max_lag'?",
        "m.toml:3: tls: must be 'off', 'preferred' or 'required'; did you mean 'preferred'?",
        "m.toml:5: readers.1: the URL of the server begins with 'h'; write mysql://user:password@host:port",
        "m.toml:9: drain_timeout: must be greater than 0",
        "m.toml:12: rules.0.targt: there is no such key; did you mean 'target'?",
        "m.toml:14: rules.1.target: must be 'primary' or 'replica'; did you mean 'replica'?",
        "m.toml:15: rules.1.consistency: must be 'eventual', 'session', 'monotonic', 'global' or 'strict'; "
        "did you mean 'global'?",
        "m.toml:16: accounts.0.password: is missing",
    ]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("0", "must be 'auto' or must be greater than or equal to 1"),
        ("'some'", "must be 'auto' or must be a whole number"),
    ],
)
def test_a_value_of_several_kinds_has_one_fault(tmp_path: Path, value: str, problem: str) -> None:
    assert faults(written(tmp_path, f"workers = {value}\n")) == [f"m.toml:1: workers: {problem}"]


def test_a_line_that_is_not_toml_is_told(tmp_path: Path) -> None:
    (fault,) = faults(written(tmp_path, "max_lag = 1\nmax_lag 2\n"))
    assert fault.startswith("m.toml:2: is not TOML: Expected '='")


def test_each_source_is_remembered(tmp_path: Path) -> None:
    file = written(tmp_path, "max_lag = 1\nprobe_interval = 2\nprobe_timeout = 3\n[[rules]]\ntarget = 'primary'\n")
    loaded = load(file, {"MANYREADS_PROBE_INTERVAL": "20", "HOME": "/h"}, {"probe_timeout": "30"})
    assert loaded.sources == {
        "max_lag": f"{file}:1",
        "probe_interval": "MANYREADS_PROBE_INTERVAL",
        "probe_timeout": "--probe-timeout",
        "rules": f"{file}:4",
        "state_directory": "HOME",
    }


def test_tables_can_be_given_as_text() -> None:
    variables = {"MANYREADS_RULES": "[{user = 'u', target = 'primary'}]"}
    flags = {"accounts": "[{user = 'x', password = 'y'}]"}
    settings = load(None, variables, flags).settings
    assert (settings.rules[0].user, settings.accounts[0].user) == ("u", "x")
    assert faults(None, {"MANYREADS_RULES": "user = 'u'"}) == [
        "MANYREADS_RULES: rules: write an array of tables: [{name = 'value', ...}, ...]"
    ]


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_secrets_are_read_from_files(tmp_path: Path) -> None:
    urls = written(tmp_path, "mysql://h:2\nmysql://h:3\n", "readers")
    password = written(tmp_path, "hunter2\n", "password")
    text = f"readers_file = '{urls}'\n[[accounts]]\nuser = 'u'\npassword_file = '{password}'\n"
    loaded = load(written(tmp_path, text), {"MANYREADS_SERVER_PASSWORD_FILE": str(password)}, {})
    settings = loaded.settings
    assert [url.get_secret_value() for url in settings.readers] == ["mysql://h:2", "mysql://h:3"]
    assert settings.accounts[0].password.get_secret_value() == "hunter2"
    assert settings.server_password is not None
    assert settings.server_password.get_secret_value() == "hunter2"
    assert loaded.sources["server_password"] == f"{password}, MANYREADS_SERVER_PASSWORD_FILE"


def test_a_secret_wins_over_a_file_that_was_named_below_and_the_reverse(tmp_path: Path) -> None:
    named = written(tmp_path, "of the file", "password")
    below, above = written(tmp_path, f"server_password_file = '{named}'\n"), {"MANYREADS_SERVER_PASSWORD": "given"}
    found = load(below, above, {}).settings
    assert found.server_password is not None
    assert (found.server_password.get_secret_value(), found.server_password_file) == ("given", None)
    below = written(tmp_path, "server_password = 'given'\n")
    found = load(below, {"MANYREADS_SERVER_PASSWORD_FILE": str(named)}, {}).settings
    assert found.server_password is not None
    assert found.server_password.get_secret_value() == "of the file"


def test_a_secret_and_its_file_at_one_place_is_a_fault(tmp_path: Path) -> None:
    file = written(
        tmp_path, "writer = 'mysql://h'\nwriter_file = 'x'\n[[accounts]]\nuser='u'\npassword='p'\npassword_file='f'\n"
    )
    assert faults(file) == [
        "m.toml:2: writer_file: writer is set at the same place; give one of them",
        "m.toml:3: accounts.0: password and password_file are both set; give one of them",
    ]


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    file = written(tmp_path, f"writer_file = '{tmp_path}/none'\nserver_password_file = '{tmp_path}/binary'\n")
    assert faults(file) == [
        f"m.toml:1: writer_file: cannot read {tmp_path}/none: No such file or directory",
        f"m.toml:2: server_password_file: cannot read {tmp_path}/binary: it is not UTF-8",
    ]


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_what_is_shown_is_toml_with_the_same_meaning_and_without_secrets(tmp_path: Path) -> None:
    text = """\
writer = "mysql://us%40r:hunter2@h:1"
readers = ["mysql://h:2"]
server_password = "hunter3"
admin_users = ["ä\\n", 'q"']
proxy_protocol_networks = ["10.0.0.0/8"]
accounts = [{user = "u", password = "hunter4"}]
rules = [{schema = "s", target = "primary"}]
"""
    loaded = load(written(tmp_path, text), {}, {"tls": "off"})
    lines = list(effective(loaded, with_sources=True))
    assert "hunter" not in "\n".join(lines)
    shown = tomllib.loads("\n".join(lines))
    assert shown["writer"] == "mysql://us%40r:********@h:1"
    assert shown["readers"] == ["mysql://root@h:2"]
    assert shown["accounts"] == [{"user": "u", "password": "**********"}]
    for key in ("admin_users", "proxy_protocol_networks", "rules"):
        assert shown[key] == tomllib.loads(text)[key]
    assert f'readers = ["mysql://root@h:2"]  # {tmp_path}/m.toml:2' in lines
    assert 'tls = "off"  # --tls' in lines
    assert "max_lag = 10.0  # default" in lines
    assert "# tls_key is not set  # default" in lines
    again = {key: value for key, value in shown.items() if key not in ("accounts", "writer", "server_password")}
    assert load(None, {}, again).settings.model_copy(update={"writer": None}).rules == loaded.settings.rules
    assert [line.lstrip("# ").split()[0] for line in lines] == list(Settings.model_fields)


def test_only_names_that_are_nearly_right_are_doubted() -> None:
    variables = {
        "MANYREADS_LOGIN_TIMOUT": "1",
        "MANYREADS_SERVICE_HOST": "h",
        "MANYREADS_LISTEN": "h:1",
        "LOGIN_TIMEOUT": "1",
    }
    assert list(misspelt(variables)) == [
        Fault("MANYREADS_LOGIN_TIMOUT", "", "there is no such variable; did you mean MANYREADS_LOGIN_TIMEOUT?")
    ]
