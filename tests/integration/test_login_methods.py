"""Every authentication method that the servers have: as without the proxy, and known to it after the first login."""

import itertools
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pymysql
import pytest

from proxy.tls.loginkey import PUBLIC_FILE
from proxy.wire import constants as c
from proxy.wire.framing import frame
from proxy.wire.handshake import HandshakeResponse, response_payload
from proxy.wire.replies import Err, parse_err
from proxy.wire.rsakey import RsaKey
from replication.sandbox import Cluster, Flavor
from tests.support.clients import Connection, connect, direct, run
from tests.support.clusters import replicating_cluster
from tests.support.crew import worker_of
from tests.support.newest import newest_mariadb
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, UTF8MB4, Login, Packet, Refused, WireClient

SCHEMA = "methods_test"
LONG = "pässwörd 密码 'q' \\ %" + "x" * 60
MARIADB = ("mysql_native_password", "caching_sha2_password", "ed25519", "parsec")
MYSQL = ("caching_sha2_password", "sha256_password")
# What the proxy asks for when it does not know the password, and when it does.
FIRST = {"ed25519": "caching_sha2_password", "parsec": "caching_sha2_password"}
LATER = {"ed25519": "client_ed25519"}


@dataclass(frozen=True)
class Place:
    """A cluster, the proxy in front of it, and a connection to its primary."""

    cluster: Cluster
    proxy: ProxyProcess
    admin: Connection

    def create(self, method: str, password: str) -> str:
        """An account of this method, of a name of its own: a change of method is another matter."""
        user = f"u_{method}"
        if self.cluster.flavor is Flavor.MARIADB:
            using = self.admin.escape(password)
            self.execute(f"CREATE OR REPLACE USER {user}@'%' IDENTIFIED VIA {method} USING PASSWORD({using})")
        else:
            self.execute(f"DROP USER IF EXISTS {user}@'%'")
            self.execute(f"CREATE USER {user}@'%' IDENTIFIED WITH {method} BY {self.admin.escape(password)}")
        self.execute(f"GRANT SELECT ON {SCHEMA}.* TO {user}@'%'")
        return user

    def execute(self, sql: str) -> None:
        with self.admin.cursor() as cursor:
            cursor.execute(sql)

    def whoami(self, user: str, password: str) -> tuple[str, str]:
        """Who somebody is without the proxy and with it, by PyMySQL, which may use TLS."""
        found = []
        for open_connection in (self.direct, self.connect):
            with open_connection(user=user, password=password.encode()) as connection:
                found.append(str(run(connection, "SELECT CURRENT_USER()")[0][0]))
        return found[0], found[1]

    def direct(self, **options: object) -> Connection:
        return direct(self.cluster, self.cluster.servers[0], **options)

    def connect(self, **options: object) -> Connection:
        return connect(self.cluster, self.proxy, **options)

    def endpoints(self) -> tuple[tuple[str, int], tuple[str, int]]:
        primary = self.cluster.servers[0]
        return (primary.host, primary.port), (self.proxy.host, self.proxy.port)

    def outcomes(self, login: Login) -> tuple[str | Err, str | Err]:
        """How a login ends without the proxy and with it: who one is then, or the error."""
        return outcome(*self.endpoints()[0], login), outcome(*self.endpoints()[1], login)


def outcome(host: str, port: int, login: Login) -> str | Err:
    with WireClient(host, port) as client:
        try:
            client.log_in(login)
        except Refused as refused:
            return refused.err
        return client.query("SELECT CURRENT_USER()")[3][1][1:].decode()


class Watching(WireClient):
    """Remembers which methods it was asked to switch to."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.methods: list[str] = []

    def packet(self) -> Packet:
        sequence, payload = super().packet()
        if payload[:1] == b"\xfe" and len(payload) > 9:
            self.methods.append(payload[1:].partition(b"\0")[0].decode())
        return sequence, payload


@pytest.fixture(scope="module", params=Flavor)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """MySQL, and the newest MariaDB, which has all methods of that vendor; each with one replica."""
    started = newest_mariadb() if request.param is Flavor.MARIADB else replicating_cluster(Flavor.MYSQL, 1)
    with started as cluster, running_proxy(cluster) as proxy:
        yield from _place(cluster, proxy)


def _place(cluster: Cluster, proxy: ProxyProcess) -> Iterator[Place]:
    with direct(cluster, cluster.servers[0], charset="utf8mb4") as admin:
        try:
            run(admin, f"CREATE DATABASE IF NOT EXISTS {SCHEMA}")
            run(admin, f"CREATE TABLE IF NOT EXISTS {SCHEMA}.t (i INT PRIMARY KEY)")
            run(admin, f"REPLACE INTO {SCHEMA}.t VALUES (7)")
            yield Place(cluster, proxy, admin)
        finally:
            for name in ("u", *(f"u_{method}" for method in (*MARIADB, *MYSQL))):
                run(admin, f"DROP USER IF EXISTS {name}@'%'")
            run(admin, f"DROP DATABASE {SCHEMA}")


def methods_of(place: Place) -> tuple[str, ...]:
    if place.cluster.flavor is Flavor.MYSQL:
        return MYSQL
    plugins = {row[0] for row in run(place.admin, "SELECT PLUGIN_NAME FROM information_schema.PLUGINS")}
    return tuple(method for method in MARIADB if method in plugins)


@pytest.fixture(params=sorted({*MARIADB, *MYSQL}))
def method(place: Place, request: pytest.FixtureRequest) -> str:
    if request.param not in methods_of(place):
        pytest.skip("not a method of this server")
    return str(request.param)


@pytest.mark.parametrize("password", ["first", "", LONG], ids=["short", "empty", "long"])
def test_the_right_password(place: Place, method: str, password: str) -> None:
    user = place.create(method, password)
    for _ in range(2):
        if method == "parsec":
            # PyMySQL does not have it.
            assert place.outcomes(Login(user, password)) == (f"{user}@%", f"{user}@%")
        else:
            assert place.whoami(user, password) == (f"{user}@%", f"{user}@%")


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "known"])
@pytest.mark.parametrize(
    ("password", "tried"), [("first", "wrong"), ("first", ""), ("", "wrong")], ids=["wrong", "none", "needless"]
)
def test_a_wrong_password_is_denied_in_the_servers_words(
    place: Place, method: str, password: str, tried: str, known: bool
) -> None:
    user = place.create(method, password)
    if known:
        assert place.outcomes(Login(user, password))[1] == f"{user}@%"
    without, through = place.outcomes(Login(user, tried))
    assert without == through
    assert isinstance(without, Err)
    assert without.errno == 1045


def test_the_password_is_asked_for_once(place: Place, method: str) -> None:
    if method not in FIRST:
        pytest.skip("this method is proved in one way")
    user = f"once_{method}"
    place.execute(f"CREATE OR REPLACE USER {user}@'%' IDENTIFIED VIA {method} USING PASSWORD('never used before')")
    asked = []
    for _ in range(3):
        with Watching(*place.endpoints()[1]) as client:
            client.log_in(Login(user, "never used before"))
            asked += client.methods
    later = LATER.get(method, method)
    place.execute(f"DROP USER {user}@'%'")
    assert asked == [FIRST[method], later, later]


def test_a_changed_password_counts_at_once(place: Place, method: str) -> None:
    user = place.create(method, "first")
    for old, new in (("first", "second"), ("second", "first")):
        assert place.outcomes(Login(user, old)) == (f"{user}@%", f"{user}@%")
        place.create(method, new)
        assert place.outcomes(Login(user, new)) == (f"{user}@%", f"{user}@%")
        without, through = place.outcomes(Login(user, old))
        assert without == through
        assert isinstance(through, Err)


def test_a_password_over_tls(place: Place, method: str) -> None:
    if method == "parsec":
        pytest.skip("PyMySQL does not have it")
    user = place.create(method, "first")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for _ in range(2):
        with place.connect(user=user, password="first", ssl=context) as connection:
            assert run(connection, "SELECT CURRENT_USER()") == ((f"{user}@%",),)


def test_reads_go_to_replicas_in_the_accounts_name(place: Place, method: str) -> None:
    user = place.create(method, "first")
    with WireClient(*place.endpoints()[1]) as client:
        client.log_in(Login(user, "first", SCHEMA))
        for _ in range(4):
            assert client.query("SELECT i FROM t")[3][1] == b"\x017"
        replica = place.cluster.servers[1]
        with direct(place.cluster, replica) as watcher:
            sql = f"SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = '{user}'"
            wait_until(lambda: read_and_count(client, watcher, sql), "a replica has a connection of the account")


def read_and_count(client: WireClient, watcher: Connection, sql: str) -> bool:
    client.query("SELECT i FROM t")
    return bool(run(watcher, sql))


def test_a_clear_password_is_taken_where_nobody_listens(place: Place, method: str) -> None:
    user = place.create(method, "first")
    for password, right in ((b"first\0", True), (b"wrong\0", False)):
        with WireClient(*place.endpoints()[1]) as client:
            client.greeting()
            response = HandshakeResponse(CAPABILITIES, 1 << 24, UTF8MB4, user, password, plugin=c.CLEAR_PASSWORD)
            client.send_bytes(frame(response_payload(response), 1))
            _, payload = client.packet()
            assert parse_err(payload).errno == 1045 if not right else payload[:1] == b"\0"


def test_a_client_without_methods_gets_the_servers_error(place: Place, method: str) -> None:
    user = place.create(method, "first")
    if method == c.NATIVE_PASSWORD:
        pytest.skip("this is the method of such clients")
    errors = []
    for host, port in place.endpoints():
        with WireClient(host, port) as client:
            client.greeting()
            response = HandshakeResponse(CAPABILITIES & ~c.CLIENT_PLUGIN_AUTH, 1 << 24, UTF8MB4, user, b"x" * 20)
            client.send_bytes(frame(response_payload(response), 1))
            errors.append(client.packet())
    assert errors[0] == errors[1]


# --- several methods, several passwords -------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["a", "b", "c", ""])
@pytest.mark.parametrize("known", [False, True], ids=["unknown", "known"])
def test_any_of_several_methods_is_enough(place: Place, password: str, known: bool) -> None:
    if "ed25519" not in methods_of(place):
        pytest.skip("no server with several methods to choose from")
    methods = "ed25519 USING PASSWORD('a') OR mysql_native_password USING PASSWORD('b') OR unix_socket"
    place.execute(f"CREATE OR REPLACE USER u@'%' IDENTIFIED VIA {methods}")
    if known:
        assert place.outcomes(Login("u", "a")) == ("u@%", "u@%")
    without, through = place.outcomes(Login("u", password))
    assert without == through
    assert (without == "u@%") is (password in ("a", "b"))


@pytest.mark.parametrize("method", MYSQL)
def test_a_retained_password(place: Place, method: str) -> None:
    if place.cluster.flavor is not Flavor.MYSQL:
        pytest.skip("MariaDB keeps one password")
    user = place.create(method, "one")
    place.execute(f"ALTER USER {user}@'%' IDENTIFIED BY 'two' RETAIN CURRENT PASSWORD")
    for _ in range(2):
        for password in ("one", "two"):
            assert place.outcomes(Login(user, password)) == (f"{user}@%", f"{user}@%")
    place.execute(f"ALTER USER {user}@'%' DISCARD OLD PASSWORD")
    assert place.outcomes(Login(user, "two")) == (f"{user}@%", f"{user}@%")
    without, through = place.outcomes(Login(user, "one"))
    assert without == through
    assert isinstance(through, Err)


Refusal = Callable[[Place], str]
REFUSED: dict[str, Refusal] = {
    "unix_socket": lambda place: "CREATE OR REPLACE USER u@'%' IDENTIFIED VIA unix_socket",
    "auth_socket": lambda place: "CREATE USER u@'%' IDENTIFIED WITH auth_socket",
    "factor": lambda place: "CREATE USER u@'%' IDENTIFIED BY 'first' AND IDENTIFIED WITH auth_socket",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_verified_is_refused_by_name(place: Place, kind: str) -> None:
    mysql = place.cluster.flavor is Flavor.MYSQL
    if mysql is (kind == "unix_socket"):
        pytest.skip("not of this vendor")
    place.execute("DROP USER IF EXISTS u@'%'")
    if mysql:
        # Replicas do not have the plugin, and would stop at its account.
        place.execute("SET SESSION sql_log_bin = 0")
        place.execute("INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'")
    try:
        place.execute(REFUSED[kind](place))
        error = place.outcomes(Login("u", "first"))[1]
        assert isinstance(error, Err)
        assert error.errno == (c.ER_NOT_SUPPORTED_AUTH_MODE if kind == "factor" else c.ER_ACCESS_DENIED_NO_PASSWORD)
        assert ("unix_socket" if kind == "unix_socket" else "'auth_socket'") in error.message
        assert ("further factor" in error.message) is (kind == "factor")
        assert "add a method with a password" in error.message
    finally:
        place.execute("DROP USER u@'%'")
        if mysql:
            place.execute("UNINSTALL PLUGIN auth_socket")
            place.execute("SET SESSION sql_log_bin = 1")


def test_an_account_that_nobody_may_log_in_to(place: Place) -> None:
    if place.cluster.flavor is not Flavor.MYSQL:
        pytest.skip("a method of MySQL")
    place.execute("DROP USER IF EXISTS u@'%'")
    place.execute("SET SESSION sql_log_bin = 0")
    place.execute("INSTALL PLUGIN mysql_no_login SONAME 'mysql_no_login.so'")
    try:
        place.execute("CREATE USER u@'%' IDENTIFIED WITH mysql_no_login")
        without, through = place.outcomes(Login("u", "first"))
        assert without == through
    finally:
        place.execute("DROP USER u@'%'")
        place.execute("UNINSTALL PLUGIN mysql_no_login")
        place.execute("SET SESSION sql_log_bin = 1")


def test_the_rsa_key_can_be_known_beforehand(place: Place, tmp_path: Path) -> None:
    """It is the same in all workers and after a restart: nobody in between can hand out another one."""
    passwords = (f"secret-{number}" for number in itertools.count())

    def log_in(proxy: ProxyProcess, key: bytes | None) -> Connection:
        password = next(passwords)
        # An account that is new is asked for its password.
        user = place.create("caching_sha2_password", password)
        return connect(place.cluster, proxy, user=user, password=password, ssl_disabled=True, server_public_key=key)

    for _ in range(2):
        flags = ("--workers", "2", "--state-directory", str(tmp_path))
        with running_proxy(place.cluster, *flags) as proxy, ExitStack() as stack:
            known = (tmp_path / PUBLIC_FILE).read_bytes()
            served = set[int]()
            while served != {0, 1}:
                served.add(worker_of(stack.enter_context(log_in(proxy, known))))
            assert cast(Any, stack.enter_context(log_in(proxy, None))).server_public_key == known
            with pytest.raises(pymysql.err.OperationalError) as denied:
                log_in(proxy, RsaKey().public_pem)
            assert denied.value.args[0] == c.ER_ACCESS_DENIED
            assert "another RSA key than the proxy's" in proxy.log


def test_secrets_are_not_logged(place: Place) -> None:
    for password in ("first", "second", "wrong", LONG):
        assert password not in place.proxy.log
    with pytest.raises(pymysql.err.OperationalError):
        place.connect(user="u", password="Hunter2Hunter2")
    assert "Hunter2" not in place.proxy.log


def test_a_changed_method_counts_at_once(place: Place) -> None:
    """Also for clients that can be asked to switch only once, as PyMySQL."""
    if place.cluster.flavor is not Flavor.MARIADB:
        pytest.skip("MySQL's methods tell the password")
    for number, method in enumerate((*MARIADB, *reversed(MARIADB), "parsec", "ed25519", "parsec")):
        password = f"password {number}"
        place.execute(f"CREATE OR REPLACE USER u@'%' IDENTIFIED VIA {method} USING PASSWORD('{password}')")
        if number % 2:
            assert outcome(*place.endpoints()[1], Login("u", password)) == "u@%"
        with place.connect(user="u", password=password) as connection:
            assert run(connection, "SELECT CURRENT_USER()") == (("u@%",),)
        assert outcome(*place.endpoints()[1], Login("u", password)) == "u@%"
