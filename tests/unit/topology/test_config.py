"""Settings from three sources: who wins, what each error says, and that secrets stay secret."""

from pathlib import Path
from typing import Any

import pytest

from topology.config import Settings, configured_deployment
from topology.environment import Environment
from topology.errors import ConfigError
from topology.servers import ServerCompression, ServerTls, TlsPolicy
from topology.settings import load_settings

NO_ENVIRONMENT = Environment({}, "nowhere")


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "manyreads.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "max_lag = 1\nprobe_interval = 2\nprobe_timeout = 3\n")
    variables = {"MANYREADS_PROBE_INTERVAL": "20", "MANYREADS_PROBE_TIMEOUT": "30", "MAX_LAG": "9"}
    settings = load_settings(file, variables, {"probe_timeout": 300.0, "max_lag": None, "readers": ()})
    assert (settings.max_lag, settings.probe_interval, settings.probe_timeout) == (1, 20, 300)


def test_defaults() -> None:
    assert load_settings(None, {}, {}) == Settings()  # type: ignore[call-arg]


def test_readers_of_a_variable_are_separated_by_white_space() -> None:
    settings = load_settings(None, {"MANYREADS_READERS": "mysql://a  mysql://b\n"}, {})
    assert [reader.get_secret_value() for reader in settings.readers] == ["mysql://a", "mysql://b"]


def test_dotclouds_port_is_listened_on_unless_an_address_is_set() -> None:
    assert load_settings(None, {"PORT_MYSQL": "4711"}, {}).host_and_port == ("0.0.0.0", 4711)
    both = {"PORT_MYSQL": "4711", "MANYREADS_LISTEN": "[::1]:5"}
    assert load_settings(None, both, {}).host_and_port == ("::1", 5)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"HOME": "/home/x"}, "/home/x/.local/state/manyreads"),
        ({"HOME": "/home/x", "XDG_STATE_HOME": "/state"}, "/state/manyreads"),
        ({"HOME": "/home/x", "STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"),
        ({"STATE_DIRECTORY": "/var/lib/a", "MANYREADS_STATE_DIRECTORY": "/own"}, "/own"),
    ],
)
def test_state_is_kept_where_the_system_keeps_it(variables: dict[str, str], expected: str | None) -> None:
    assert load_settings(None, variables, {}).state_directory == (Path(expected) if expected else None)


def test_a_key_without_a_certificate_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"^--tls-key: tls_key: belongs to tls_certificate, which is not set"):
        load_settings(None, {}, {"tls_key": "key.pem"})
    with pytest.raises(ConfigError, match="server_tls_key: belongs to server_tls_certificate"):
        load_settings(None, {}, {"server_tls_key": "key.pem"})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost"])
def test_http_for_this_machine_needs_no_token(host: str) -> None:
    assert load_settings(None, {}, {"http": f"{host}:1"}).http == f"{host}:1"


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "[::]", "db", "localhost.example.org"])
def test_http_for_other_machines_needs_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match="--http: http: can be reached from other machines"):
        load_settings(None, {}, {"http": f"{host}:1"})
    assert load_settings(None, {"MANYREADS_HTTP_TOKEN": "0123456789abcdef"}, {"http": f"{host}:1"}).http


def test_a_token_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ConfigError, match="http_token: must have at least 16 ") as caught:
        load_settings(None, {}, {"http_token": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_networks_are_a_list_or_one_text(tmp_path: Path) -> None:
    for text in ("['10.0.0.0/8', '2001:db8::/32', '127.0.0.1']", "'10.0.0.0/8, 2001:db8::/32 127.0.0.1'"):
        settings = load_settings(written(tmp_path, f"proxy_protocol_networks = {text}\n"), {}, {})
        assert list(map(str, settings.proxy_protocol_networks)) == ["10.0.0.0/8", "2001:db8::/32", "127.0.0.1/32"]
    variables = {"MANYREADS_PROXY_PROTOCOL_NETWORKS": "10.0.0.0/8 ::1"}
    assert list(map(str, load_settings(None, variables, {}).proxy_protocol_networks)) == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("text", "expected"), [("off", ()), ("", ()), ("zstd", ("zstd",)), ("zstd,zlib", ("zstd", "zlib"))]
)
def test_compression_is_a_list_or_off(text: str, expected: tuple[str, ...]) -> None:
    assert load_settings(None, {"MANYREADS_COMPRESSION": text}, {}).compression == expected


def test_the_servers_get_the_tls_policy() -> None:
    flags = {"writer": "mysql://h:1", "readers": ("mysql://h:2",), "server_tls": "verify-ca", "server_tls_ca": "ca.pem"}
    found = configured_deployment(load_settings(None, {}, flags), NO_ENVIRONMENT)
    assert {server.tls for server in found.servers} == {TlsPolicy(ServerTls.VERIFY_CA, Path("ca.pem"))}


@pytest.mark.parametrize("kind", list(ServerCompression))
def test_the_servers_get_the_compression(kind: ServerCompression) -> None:
    flags = {"writer": "mysql://h:1", "readers": ("mysql://h:2",), "server_compression": str(kind)}
    found = configured_deployment(load_settings(None, {}, flags), NO_ENVIRONMENT)
    assert {server.compression for server in found.servers} == {kind}


SOURCES = ["file", "variable", "flag"]


def load_from(source: str, key: str, value: Any, tmp_path: Path) -> Settings:
    if source == "file":
        text = value if isinstance(value, str) and not value.replace(".", "").replace("-", "").isdigit() else None
        return load_settings(written(tmp_path, f"{key} = {value}\n" if text is None else f"{key} = '{text}'\n"), {}, {})
    if source == "variable":
        return load_settings(None, {f"MANYREADS_{key.upper()}": str(value)}, {})
    return load_settings(None, {}, {key: value})


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("key", "value"),
    [("probe_interval", "0"), ("probe_timeout", "-1"), ("max_lag", "99999999"), ("connect_timeout", "soon"),
     ("login_timeout", "nan"), ("drain_timeout", "0"), ("max_connections", "0"), ("max_connections", "1.5"),
     ("digest_cache_size", "-1"), ("tls", "maybe"), ("server_tls", "yes"),
     ("proxy_protocol_networks", "10.0.0.1/8"), ("proxy_protocol_networks", "10.0.0.0/8, here"),
     ("server_proxy_protocol", "v3"), ("compression", "zlib, lz4"),
     ("server_compression", "zlib,zstd"), ("max_connections_per_address", "-1"),
     ("listen", "nowhere"), ("listen", "h:99999"), ("listen", "h:x"), ("listen", "a b:1")],
)  # fmt: skip
def test_an_error_names_the_key_and_where_it_was_set(source: str, key: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_from(source, key, value, tmp_path)
    where = {"file": f"{tmp_path}/manyreads.toml:1", "variable": f"MANYREADS_{key.upper()}"}
    assert str(caught.value).startswith(f"{where.get(source, '--' + key.replace('_', '-'))}: {key}")
    assert caught.value.remedy


def test_all_errors_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(tmp_path, "max_lag = 0\nlisten = 'x'\n"), {}, {"max_connections": -1})
    assert all(key in str(caught.value) for key in ("max_lag", "listen", "max_connections"))


def test_an_unknown_key_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"manyreads.toml:1: zzz: there is no such key; there are listen, "):
        load_settings(written(tmp_path, "zzz = 1\n"), {}, {})


def test_an_unknown_key_of_an_account_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, '[[accounts]]\nuser = "u"\npassword = "hunter2"\npasword = "hunter3"\n')
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {}, {})
    assert "accounts.0.pasword" in str(caught.value)
    assert "'accounts'" not in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_a_missing_key_of_an_account_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"manyreads.toml:1: accounts\.0\.password: is missing"):
        load_settings(written(tmp_path, '[[accounts]]\nuser = "u"\n'), {}, {})


@pytest.mark.parametrize(
    "text", ["max_lag = ", "= 1", "max_lag = 1\nmax_lag = 2", "writer = 'mysql://u:hunter2@h", "\udc80"]
)
def test_a_file_that_is_not_toml(text: str, tmp_path: Path) -> None:
    file = tmp_path / "manyreads.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=r"manyreads.toml(:\d+)?: is not TOML") as caught:
        load_settings(file, {}, {})
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.toml: cannot read it"):
        load_settings(tmp_path / "none.toml", {}, {})


@pytest.mark.parametrize("source", SOURCES)
def test_secrets_are_in_no_message_and_no_repr(source: str, tmp_path: Path) -> None:
    settings = load_from(source, "writer", "mysql://u:hunter2@h", tmp_path)
    assert "hunter2" not in f"{settings!r} {settings}"
    for text in ("writer = ['mysql://u:hunter2@h']", "readers = 'u:hunter2@h'", "readers = [['mysql://u:hunter2@h']]",
                 "[accounts]\nuser = 'u'\npassword = 'hunter2'", "accounts = ['hunter2']"):  # fmt: skip
        with pytest.raises(ConfigError) as caught:
            load_settings(written(tmp_path, text), {}, {})
        assert "hunter2" not in str(caught.value)


# --- the servers ------------------------------------------------------------------------------------------------------


def settings_of(writer: str | None, *readers: str) -> Settings:
    return load_settings(None, {}, {"writer": writer, "readers": readers})


def test_servers_of_urls_are_named_by_their_place() -> None:
    found = configured_deployment(settings_of("mysql://w:pw@h:1", "mysql://h:2", "mysql://h:3"), NO_ENVIRONMENT)
    assert [(server.name, server.port) for server in found.servers] == [("dbwrite", 1), ("dbread1", 2), ("dbread2", 3)]


@pytest.mark.parametrize(
    ("writer", "readers", "message"),
    [
        (None, ["mysql://h:2"], "no writer"),
        ("mysql://h:1", ["mysql://h:1"], "dbwrite and dbread1 are both at h:1"),
        ("mysql://h:1", ["mysql://h:2", "mysql://h:2"], "dbread1 and dbread2 are both at h:2"),
        ("h:1", [], "writer: the URL"),
        ("mysql://h:1", ["mysql://h:2", "mysql://u:hunter2@h:x"], r"readers\.1: the URL"),
    ],
)
def test_servers_that_cannot_be(writer: str | None, readers: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        configured_deployment(settings_of(writer, *readers), NO_ENVIRONMENT)
    assert "hunter2" not in str(caught.value)


def test_replicas_of_the_environment_use_the_primarys_account() -> None:
    keys = {"HOST": "h", "LOGIN": "root"}
    variables = {
        f"DOTCLOUD_{name}_MYSQL_{key}": value for name in ("DBWRITE", "DBREAD1") for key, value in keys.items()
    }
    variables |= {"DOTCLOUD_DBWRITE_MYSQL_PORT": "1", "DOTCLOUD_DBREAD1_MYSQL_PORT": "2"}
    variables |= {"DOTCLOUD_DBWRITE_MYSQL_PASSWORD": "right", "DOTCLOUD_DBREAD1_MYSQL_PASSWORD": "replaced"}
    found = configured_deployment(settings_of(None), Environment(variables, "environment.json"))
    assert [server.password for server in found.servers] == ["right", "right"]


@pytest.mark.parametrize("weights", ["dbread1=0", "dbread1=101", "dbread1", "=3", "dbread1=x"])
def test_weights_that_mean_nothing_are_refused(weights: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {"MANYREADS_WEIGHTS": weights}, {})
    assert "weights" in str(caught.value)


def test_weights_are_a_list() -> None:
    expected = ("dbread1=3", "dbread-2=100")
    assert load_settings(None, {"MANYREADS_WEIGHTS": "dbread1=3, dbread-2=100"}, {}).weights == expected
    assert load_settings(None, {}, {"weights": list(expected)}).weights == expected
