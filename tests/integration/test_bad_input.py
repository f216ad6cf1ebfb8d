"""What must fail, fails clearly and alone: wrong logins, broken packets, unusable settings, clients that vanish."""

import json
import random
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import MySQLdb
import pymysql
import pytest

from proxy.wire import constants as c
from proxy.wire.framing import frame
from proxy.wire.handshake import HandshakeResponse, response_payload
from proxy.wire.primitives import lenenc_bytes
from proxy.wire.replies import Err, err_payload
from replication.sandbox import Cluster
from replication.sandbox.ports import claim_ports
from tests.support.clients import connect, run
from tests.support.proxies import ROOT, ProxyProcess, running_proxy, started_proxy
from tests.support.relay import relaying
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, Login, WireClient, query

WRONG = "Wr0ngPassw0rd"


@pytest.fixture(scope="module")
def proxy(shared_cluster: Cluster) -> Iterator[ProxyProcess]:
    """A proxy of these tests' own, whose log and file descriptors are looked at."""
    with running_proxy(shared_cluster) as proxy:
        yield proxy


@pytest.fixture
def neighbour(shared_cluster: Cluster, proxy: ProxyProcess) -> Iterator[None]:
    """A session of somebody else, which must live on whatever a test does."""
    with connect(shared_cluster, proxy) as connection:
        run(connection, "SET @mine = 5")
        yield
        assert run(connection, "SELECT @mine, 1") == ((5, 1),)
        with connect(shared_cluster, proxy) as another:
            assert run(another, "SELECT 1") == ((1,),)


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize(
    "options",
    [
        {"password": WRONG},
        {"password": ""},
        {"user": "no_such_user", "password": WRONG},
        {"user": "no_such_user", "password": ""},
        {"user": "", "password": ""},
        {"database": "no_such_schema"},
        {"database": "x" * 300},
    ],
    ids=str,
)
def test_a_refused_login_is_worded_as_by_the_server(
    shared_cluster: Cluster, proxy: ProxyProcess, options: dict[str, str]
) -> None:
    primary = shared_cluster.servers[0]
    errors = []
    for host, port in ((primary.host, primary.port), (proxy.host, proxy.port)):
        with pytest.raises(pymysql.err.MySQLError) as caught:
            pymysql.connect(**{"host": host, "port": port, "user": "root", "password": primary.password, **options})
        errors.append(caught.value.args)
    assert errors[0] == errors[1]
    assert WRONG not in proxy.log
    assert primary.password not in proxy.log


@contextmanager
def primary_elsewhere(cluster: Cluster, directory: Path, port: int, *arguments: str) -> Iterator[ProxyProcess]:
    """A proxy that looks for the primary at another port."""
    variables = json.loads(cluster.environment_file.read_text())
    variables["DOTCLOUD_DBWRITE_MYSQL_PORT"] = port
    file = directory / "environment.json"
    file.write_text(json.dumps(variables))
    with started_proxy("--environment", str(file), *arguments) as proxy:
        proxy.wait_for_log("serving on")
        yield proxy


def test_an_unreachable_primary_is_named(shared_cluster: Cluster, tmp_path: Path) -> None:
    (port,) = claim_ports(1, tmp_path)
    primary = shared_cluster.servers[0]
    with primary_elsewhere(shared_cluster, tmp_path, port, "--primary-wait", "0.5") as proxy:
        with pytest.raises(pymysql.err.OperationalError, match=rf"dbwrite \(127.0.0.1:{port}\)") as caught:
            connect(shared_cluster, proxy)
        assert caught.value.args[0] == 2003
        # MariaDB's C connector would make 2027, malformed packet, of 2003, without the message.
        login = {"host": proxy.host, "port": proxy.port, "user": primary.user, "password": primary.password}
        with pytest.raises(MySQLdb.OperationalError, match=rf"dbwrite \(127.0.0.1:{port}\)") as in_c:
            MySQLdb.connect(**login)
        assert in_c.value.args[0] == c.ER_SERVER_SHUTDOWN
        with WireClient(proxy.host, proxy.port) as client:
            client.greeting()
            client.send_bytes(BEFORE_LOGIN["one byte"])
            assert client.is_closed()
        assert f"dbwrite (127.0.0.1:{port})" in proxy.log
        assert "Traceback" not in proxy.log


def test_a_login_waits_for_a_primary_that_was_never_there(shared_cluster: Cluster, tmp_path: Path) -> None:
    primary = shared_cluster.servers[0]
    patient = ("--primary-wait", "60", "--login-timeout", "80")
    with relaying(primary.port) as relay:
        relay.switch(0)
        with (
            primary_elsewhere(shared_cluster, tmp_path, relay.port, *patient) as proxy,
            WireClient(proxy.host, proxy.port) as early,
        ):
            relay.switch(primary.port)
            assert early.greeting()
            with connect(shared_cluster, proxy) as client:
                assert run(client, "SELECT 1 FOR UPDATE") == ((1,),)


BEFORE_LOGIN = {
    "garbage": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a huge length": b"\xff\xff\xff\x01" + b"x" * 100,
    "a wrong sequence number": frame(b"\x00" * 32 + b"root\0\0", 7),
    "an empty packet": frame(b"", 1),
    "one byte": frame(b"\x00", 1),
    "zeros": frame(bytes(40), 1),
    "the protocol of 3.23": frame(b"\x05\x00\x00\x00\x00root\0\0", 1),
    "a user without an end": frame((CAPABILITIES).to_bytes(4, "little") + bytes(28) + b"root", 1),
    "a length beyond the end": frame(
        (CAPABILITIES | c.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA).to_bytes(4, "little") + bytes(28) + b"root\0\xfe\xff",
        1,
    ),
}
COMMANDS = {
    "an empty command": frame(b"", 0),
    "a wrong sequence number": frame(query("SELECT 1"), 5),
    "an execution without a body": frame(bytes((c.COM_STMT_EXECUTE,)), 0),
    "a reset without a number": frame(bytes((c.COM_STMT_RESET, 1)), 0),
    "a large execution of nothing": (2 * 1024 * 1024).to_bytes(3, "little")
    + b"\0\x17"
    + b"\x01" * (2 * 1024 * 1024 - 1),
    "a large ping": b"\xff\xff\xff\0\x0e" + b"x" * 1000,
}
# These have a regular answer from any server, and the connection goes on.
ANSWERED = frozenset({"an execution without a body", "a reset without a number", "a large execution of nothing"})


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("name", BEFORE_LOGIN)
def test_a_malformed_login_ends_its_connection(proxy: ProxyProcess, name: str) -> None:
    before = proxy.log.count("malformed packet during login")
    with WireClient(proxy.host, proxy.port) as client:
        client.greeting()
        client.send_bytes(BEFORE_LOGIN[name])
        assert client.is_closed()
    proxy.wait_for_log("malformed packet during login", before + 1)
    assert "Traceback" not in proxy.log


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("size", [0xFFFF - 8, 0xFFFF, 70_000, 2_000_000])
def test_a_login_with_many_attributes(shared_cluster: Cluster, proxy: ProxyProcess, size: int) -> None:
    """Servers take 64 KiB of them, and refuse more in so many words."""
    primary = shared_cluster.servers[0]
    outcomes = []
    for host, port in ((primary.host, primary.port), (proxy.host, proxy.port)):
        with WireClient(host, port) as client:
            capabilities = client.greeting().capabilities & (CAPABILITIES | c.CLIENT_CONNECT_ATTRS)
            attributes = lenenc_bytes(b"name") + lenenc_bytes(b"x" * size)
            response = HandshakeResponse(
                capabilities, 1 << 30, 45, "nobody", b"", plugin=c.NATIVE_PASSWORD, attributes=attributes
            )
            client.send_bytes(frame(response_payload(response), 1))
            outcomes.append(client.packet())
            if outcomes[-1][1][:1] == bytes((c.EOF_HEADER,)):
                # A request to switch, with a method of the server's choice and a salt: the attributes were taken.
                outcomes[-1] = (outcomes[-1][0], b"go on")
    assert outcomes[0] == outcomes[1]
    assert (outcomes[0] == (2, err_payload(Err(c.ER_HANDSHAKE, "Bad handshake", "08S01")))) is (size > 0xFFFF - 8)
    assert "Traceback" not in proxy.log


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_malformed_command_ends_its_connection(shared_cluster: Cluster, proxy: ProxyProcess, name: str) -> None:
    before = proxy.log.count("malformed packet:")
    with logged_in(shared_cluster, proxy) as client:
        client.send_bytes(COMMANDS[name])
        if name in ANSWERED:
            client.reply()
            assert client.query("SELECT 'alive'")[-2][1] == b"\5alive"
            return
        assert client.is_closed()
    proxy.wait_for_log("malformed packet:", before + 1)
    assert "Traceback" not in proxy.log


@pytest.mark.usefixtures("neighbour")
def test_a_malformed_command_behind_another(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    """The first one is answered, and neither side's connection is kept."""
    before, count = proxy.steady_descriptors(), proxy.log.count("malformed packet:")
    with logged_in(shared_cluster, proxy) as client:
        client.send_bytes(frame(query("SELECT SLEEP(0.02)"), 0) + frame(query("SELECT 1"), 5))
        assert client.reply()[-2][1] == b"\0010"
        assert client.is_closed()
    proxy.wait_for_log("malformed packet:", count + 1)
    wait_until(lambda: proxy.descriptors <= before, "the connections are closed")
    assert "Traceback" not in proxy.log


@pytest.mark.usefixtures("neighbour")
def test_random_bytes_at_random_stages(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    chance = random.Random(11)
    primary = shared_cluster.servers[0]
    for round_ in range(300):
        with WireClient(proxy.host, proxy.port) as client:
            size = chance.choice((1, 4, 5, 40, 300))
            noise = frame(chance.randbytes(size), chance.choice((0, 1))) if round_ % 2 else chance.randbytes(size)
            if round_ % 3:
                client.log_in(Login(primary.user, primary.password))
                # A command of chance must not stop a server.
                noise = noise.replace(b"\x08", b"\x0e").replace(b"\x0c", b"\x0e")
            client.send_bytes(noise)
            client.socket.shutdown(socket.SHUT_WR)
            assert client.is_closed()
    assert proxy.process.poll() is None
    assert "Traceback" not in proxy.log


@pytest.mark.usefixtures("neighbour")
def test_clients_that_vanish_leave_nothing_behind(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    with logged_in(shared_cluster, proxy):
        pass
    before = proxy.steady_descriptors()
    chance = random.Random(7)
    stages: list[Callable[[WireClient], Any]] = [
        lambda client: None,
        lambda client: client.greeting(),
        lambda client: client.send_bytes(b"\x20\x00\x00\x01half a packet"),
        lambda client: client.log_in(how(shared_cluster)),
        lambda client: client.log_in(how(shared_cluster)).send(query("SELECT SLEEP(0.01)")),
        lambda client: client.log_in(how(shared_cluster)).query("BEGIN"),
        lambda client: client.log_in(how(shared_cluster)).send(query("SELECT REPEAT('x', 3000000)")),
        lambda client: client.log_in(how(shared_cluster)).send_bytes(b"\x00\x00\x00\x20\x03SELECT"),
        lambda client: client.log_in(how(shared_cluster)).send_bytes(b"\xff\xff\xff\x00\x03SELECT" + b"x" * 300_000),
    ]
    for _ in range(2000):
        with WireClient(proxy.host, proxy.port) as client:
            # No time to linger: the other side sees a reset instead of an end.
            if chance.random() < 0.5:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            chance.choice(stages)(client)
    wait_until(
        lambda: proxy.descriptors <= before, "all descriptors are closed", lambda: f"{proxy.descriptors} of {before}"
    )
    assert "Traceback" not in proxy.log
    assert "never retrieved" not in proxy.log


def how(cluster: Cluster) -> Login:
    return Login(cluster.servers[0].user, cluster.servers[0].password)


def logged_in(cluster: Cluster, proxy: ProxyProcess) -> WireClient:
    return WireClient(proxy.host, proxy.port).log_in(how(cluster))


def proxy_exit(*arguments: str) -> tuple[int, str]:
    """Exit code and output of `python -m proxy` with arguments that it cannot serve with."""
    command = [sys.executable, "-m", "proxy", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def environment_of(**changes: object) -> str:
    variables: dict[str, object] = {}
    for number, name in enumerate(("DBWRITE", "DBREAD1")):
        values = {"HOST": "127.0.0.1", "PORT": 3306 + number, "LOGIN": "root", "PASSWORD": "s3cretpw"}
        variables |= {f"DOTCLOUD_{name}_MYSQL_{key}": value for key, value in values.items()}
    variables |= changes
    return json.dumps({key: value for key, value in variables.items() if value is not None})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{not json", "is not"),
        ("[1, 2]", "environment.json"),
        ("{}", "DOTCLOUD_DBWRITE_MYSQL_HOST"),
        (environment_of(DOTCLOUD_DBREAD1_MYSQL_PASSWORD=None), "DOTCLOUD_DBREAD1_MYSQL_PASSWORD"),
        (environment_of(DOTCLOUD_DBWRITE_MYSQL_PORT="many"), "DOTCLOUD_DBWRITE_MYSQL_PORT"),
        (environment_of(DOTCLOUD_DBREAD1_MYSQL_PORT=3306), "dbread1"),
        (environment_of(MASTER="dbother"), "dbother"),
        (environment_of(SLAVES="dbread1 dbread9"), "dbread9"),
    ],
)
def test_an_unusable_environment_file_is_explained(tmp_path: Path, content: str, expected: str) -> None:
    file = tmp_path / "environment.json"
    file.write_text(content)
    code, output = proxy_exit("--environment", str(file))
    assert_clear(code, output, expected)
    assert str(file) in output or "are both at" in output
    assert "s3cretpw" not in output


def test_a_missing_environment_file_is_named(tmp_path: Path) -> None:
    code, output = proxy_exit("--environment", str(tmp_path / "none.json"))
    assert_clear(code, output, str(tmp_path / "none.json"))
    code, output = proxy_exit("--environment", str(tmp_path))
    assert_clear(code, output, str(tmp_path))


SERVERS = ("--writer", "mysql://root:s3cretpw@127.0.0.1:3306", "--reader", "mysql://root:s3cretpw@127.0.0.1:3307")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--listen", "nowhere"), "listen"),
        (("--listen", "127.0.0.1:99999"), "99999"),
        (("--listen", "no.such.host.invalid:6033"), "no.such.host.invalid"),
        (("--probe-interval", "-1"), "probe_interval"),
        (("--probe-timeout", "nan"), "probe_timeout"),
        (("--max-connections", "0"), "max_connections"),
        (("--config", "/no/such/file.toml"), "/no/such/file.toml"),
    ],
)
def test_an_unusable_setting_is_explained(arguments: tuple[str, ...], expected: str) -> None:
    code, output = proxy_exit(*SERVERS, *arguments)
    assert_clear(code, output, expected)
    assert "s3cretpw" not in output


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("listen = ", "TOML"),
        ("no_such_key = 1", "no_such_key"),
        ("max_lag = 'long'", "max_lag"),
        ("writer = 'http://root:s3cretpw@host'", "writer: "),
        ("writer = 'mysql://root:s3cretpw@127.0.0.1:port'", "writer: "),
        ("readers = ['mysql://root:s3cretpw@127.0.0.1']", "writer"),
        ("accounts = [{user = 'a'}]", "accounts"),
        ("accounts = [{user = 'a', password = 7}]", "accounts"),
    ],
)
def test_an_unusable_configuration_file_is_explained(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "proxy.toml"
    file.write_text(text)
    code, output = proxy_exit("--config", str(file))
    assert_clear(code, output, expected)
    assert "s3cretpw" not in output


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, output = proxy_exit(*SERVERS, "--listen", address)
    assert_clear(code, output, f"cannot listen on {address}: it is in use")


def assert_clear(code: int, output: str, expected: str) -> None:
    """Exit code 2, and a message of ours that names the thing, without a traceback."""
    assert code == 2, output
    assert "Traceback" not in output
    assert expected in output
    assert output.count("manyreads:") == 1
    # The message and its remedy; before it only the first probes may have logged something.
    assert len(output[output.index("manyreads:") :].splitlines()) <= 2, output
