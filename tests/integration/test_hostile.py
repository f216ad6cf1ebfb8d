"""Clients that send damaged logins and commands, at every point of a conversation, hurt nobody but themselves."""

import random
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import pytest

from proxy.wire import constants as c
from proxy.wire.compression import Algorithm
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from replication.sandbox import Cluster, Flavor
from tests.support.certificates import client_context
from tests.support.clients import Connection, connect, direct, run
from tests.support.compressedclient import FLAGS, compress
from tests.support.memory import MEBIBYTE, Growth
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.tampering import Tampered, TamperingSocket, damaged
from tests.support.tlsclient import start_tls
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, Login, Refused, WireClient, execute, statement_command

SCHEMA: Final = "hostile_test"
# Every connection is made from this and its own number alone, so that a failure can be repeated.
SEED: Final = 20
ROUNDS, CONNECTIONS, AT_ONCE = 6, 80, 8
FILES: Final = CAPABILITIES | c.CLIENT_LOCAL_FILES
MODERN: Final = (
    CAPABILITIES
    | c.CLIENT_CONNECT_ATTRS
    | c.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
    | c.CLIENT_QUERY_ATTRIBUTES
    | c.CLIENT_SESSION_TRACK
    | c.CLIENT_DEPRECATE_EOF
    | c.MARIADB_CLIENT_STMT_BULK_OPERATIONS
)
# A user who may do little: a damaged command can still be a command.
LOGIN: Final = Login("hostile", "pw", SCHEMA)
LOAD: Final = "LOAD DATA LOCAL INFILE '/no/such/file' REPLACE INTO TABLE item"

Script = Callable[[WireClient], object]


def _speaks_first(client: WireClient) -> None:
    client.send_bytes(frame(bytes(32) + b"hostile\0\0", 1))


def _logs_in(client: WireClient) -> None:
    client.log_in(LOGIN)


def _queries(client: WireClient, flags: int = CAPABILITIES) -> None:
    client.log_in(Login(LOGIN.user, LOGIN.password, SCHEMA, flags))
    _works(client)


def _works(client: WireClient) -> None:
    for sql in ("SELECT id, value FROM item", "SET @a = 1", "SELECT 1; SELECT @a", "INSERT INTO item VALUES (9, 'x')"):
        client.query(sql)
    packets = client.command(bytes((c.COM_STMT_PREPARE,)) + b"SELECT id FROM item WHERE value = ?", Reply.PREPARED)
    number = int.from_bytes(packets[0][1][1:5], "little")
    client.send(statement_command(c.COM_STMT_SEND_LONG_DATA, number, b"\0\0some data"))
    client.command(execute(number, [(253, b"")], cursor=1, named=client.attributes))
    client.command(statement_command(c.COM_STMT_FETCH, number, b"\5\0\0\0"), Reply.ROWS)
    client.command(statement_command(c.COM_STMT_RESET, number))
    client.send(statement_command(c.COM_STMT_CLOSE, number))
    client.command(bytes((c.COM_INIT_DB,)) + SCHEMA.encode())
    client.command(bytes((c.COM_SET_OPTION, 0, 0)))
    client.command(bytes((c.COM_RESET_CONNECTION,)))
    client.query("SELECT 'end'")


def _is_modern(client: WireClient) -> None:
    _queries(client, MODERN)


def _sends_much(client: WireClient) -> None:
    client.log_in(LOGIN)
    client.query(f"SELECT LENGTH('{'x' * 1_100_000}')")
    client.query("SELECT 'end'")


def _sends_a_file(client: WireClient) -> None:
    client.log_in(Login(LOGIN.user, LOGIN.password, SCHEMA, FILES))
    client.query(LOAD)
    client.send_file((b"1\tone\n", b"2\ttwo\n"))
    client.query("SELECT 'end'")


def _changes_its_user(client: WireClient) -> None:
    client.log_in(LOGIN)
    client.change_user(LOGIN)
    client.query("SELECT 'end'")


def _encrypts(client: WireClient) -> None:
    greeting = client.greeting()
    start_tls(client, client_context())
    client.respond(LOGIN, greeting, 2)
    _works(client)


def _compresses(client: WireClient) -> None:
    client.log_in(Login(LOGIN.user, LOGIN.password, SCHEMA, CAPABILITIES | FLAGS[Algorithm.ZLIB]))
    compress(client, Algorithm.ZLIB)
    client.query(f"SELECT '{'x' * 1000}'")
    _works(client)


SCRIPTS: Final[tuple[Script, ...]] = (
    _speaks_first,
    _logs_in,
    _queries,
    _is_modern,
    _sends_much,
    _sends_a_file,
    _changes_its_user,
    _encrypts,
    _compresses,
)


@dataclass(frozen=True)
class Place:
    """A proxy, and what an undisturbed client sends in each script."""

    cluster: Cluster
    proxy: ProxyProcess
    admin: Connection
    recordings: tuple[tuple[Script, list[bytes]], ...]


@pytest.fixture(scope="module")
def place(shared_cluster: Cluster) -> Iterator[Place]:
    with direct(shared_cluster, shared_cluster.servers[0]) as admin:
        ((local_files,),) = run(admin, "SELECT @@global.local_infile")
        run(admin, "SET GLOBAL local_infile = 1")
        run(admin, f"CREATE DATABASE {SCHEMA}")
        run(admin, f"CREATE TABLE {SCHEMA}.item (id INT PRIMARY KEY, value VARCHAR(20))")
        run(admin, f"CREATE USER {LOGIN.user}@'%' IDENTIFIED BY '{LOGIN.password}'")
        run(admin, f"GRANT SELECT, INSERT, DELETE ON {SCHEMA}.* TO {LOGIN.user}@'%'")
        try:
            # What ended sessions leave for others is closed soon, so that a leak can be told from it.
            with running_proxy(shared_cluster, "--server-connection-idle", "1", forked=False) as proxy:
                recordings = tuple((script, recorded(proxy, script)) for script in SCRIPTS)
                yield Place(shared_cluster, proxy, admin, recordings)
        finally:
            run(admin, f"DROP USER {LOGIN.user}@'%'")
            run(admin, f"DROP DATABASE {SCHEMA}")
            run(admin, f"SET GLOBAL local_infile = {local_files}")


def recorded(proxy: ProxyProcess, script: Script) -> list[bytes]:
    with WireClient(proxy.host, proxy.port) as client:
        below = TamperingSocket(client.socket)
        client.socket = below  # type: ignore[assignment]  # it has what WireClient uses of a socket
        script(client)
        return below.sent


def attack(place: Place, number: int) -> None:
    """One conversation with a damaged message. Fails when the proxy keeps the connection of a client that left."""
    chance = random.Random(f"{SEED} {number}")
    script, messages = chance.choice(place.recordings)
    at = chance.randrange(len(messages))
    with WireClient(place.proxy.host, place.proxy.port) as client:
        below = client.socket
        client.socket = TamperingSocket(  # type: ignore[assignment]  # it has what WireClient uses of a socket
            below, at, lambda data: damaged(chance, data, messages[at + 1 :])
        )
        with suppress(Tampered, Refused, OSError, MalformedPacket):
            script(client)
        client.socket = below
        if chance.random() < 0.3:
            # No time to linger: the proxy sees a reset instead of an end.
            below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        with suppress(OSError):
            below.shutdown(socket.SHUT_WR)
        assert client.is_closed(), (
            f"seed {SEED}, connection {number}: {script.__name__}, message {at} of {len(messages)}"
        )


def test_damaged_messages_hurt_nobody_else(place: Place) -> None:
    proxy = place.proxy
    # What the first attacks make grow once is no leak.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda number: attack(place, number), range(-AT_ONCE * 4, 0)))
    before, growth = proxy.steady_descriptors(), Growth(proxy.process.pid)
    with connect(place.cluster, proxy) as neighbour, ThreadPoolExecutor(AT_ONCE) as pool:
        run(neighbour, "SET @mine = 5")
        for round_ in range(ROUNDS):
            first = round_ * CONNECTIONS
            attacks = [pool.submit(attack, place, number) for number in range(first, first + CONNECTIONS)]
            assert_others_work(place, neighbour)
            for one in attacks:
                one.result()
            assert_others_work(place, neighbour)
    wait_until(
        lambda: proxy.descriptors <= before, "all descriptors are closed", lambda: f"{proxy.descriptors} of {before}"
    )
    wait_until(lambda: not of_the_hostile(place), "their connections to the primary are closed")
    # Of what is kept on purpose the texts of statements alone may take 16 MiB.
    assert growth.now < 24 * MEBIBYTE, growth
    for word in ("Traceback", "never retrieved", "-> down"):
        assert word not in proxy.log, f"seed {SEED}\n{proxy.log[-4000:]}"


def assert_others_work(place: Place, neighbour: Connection) -> None:
    assert place.proxy.process.poll() is None, f"seed {SEED}\n{place.proxy.log[-4000:]}"
    assert run(neighbour, "SELECT @mine, 1") == ((5, 1),)
    with connect(place.cluster, place.proxy) as another:
        assert run(another, "SELECT 1") == ((1,),)
        run(another, f"REPLACE INTO {SCHEMA}.item VALUES (100, 'alive')")


def of_the_hostile(place: Place) -> list[object]:
    table = (
        "performance_schema.processlist" if place.cluster.flavor is Flavor.MYSQL else "information_schema.PROCESSLIST"
    )
    return list(run(place.admin, f"SELECT ID FROM {table} WHERE USER = '{LOGIN.user}'"))
