"""KILL of sessions and of their statements: the killer and its target see what they would without the proxy."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from replication.sandbox import Cluster, Flavor, LocalServer
from tests.support.clients import connect, direct, run, settle
from tests.support.proxies import ProxyProcess
from tests.support.waiting import wait_until
from tests.support.wireclient import Login, Packet, WireClient, execute, first_error, query

SCHEMA = "kill_test"
LOW = "kill_low"
UNKNOWN_THREAD, NOT_OWNER, INTERRUPTED = 1094, 1095, 1317
LONG = 3

Open = Callable[[], WireClient]
Kill = Callable[[WireClient, int], list[Packet]]


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    with connect(shared_cluster, shared_proxy) as connection:
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"DROP USER IF EXISTS {LOW}")
        run(connection, f"CREATE USER {LOW} IDENTIFIED BY 'low'")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        run(connection, f"CREATE TABLE {SCHEMA}.item (id INT PRIMARY KEY)")
        run(connection, f"INSERT INTO {SCHEMA}.item VALUES (1)")
        settle(shared_cluster, connection)
        yield
        run(connection, f"DROP USER {LOW}")
        run(connection, f"DROP DATABASE {SCHEMA}")


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opener(cluster: Cluster, stack: ExitStack, where: ProxyProcess | LocalServer, user: str = "") -> Open:
    primary = cluster.servers[0]
    login = Login(user or primary.user, "low" if user else primary.password)
    return lambda: stack.enter_context(WireClient(where.host, where.port).log_in(login))


def runs(cluster: Cluster, text: str) -> str:
    """The name of the server that runs a statement with `text` in it, empty if there is none."""
    for server in cluster.servers:
        with direct(cluster, server) as connection:
            if any(text in str(row[7]) for row in run(connection, "SHOW FULL PROCESSLIST")):
                return server.name
    return ""


def with_text(words: str) -> Kill:
    return lambda killer, number: killer.query(f"{words} {number}")


def with_command(killer: WireClient, number: int) -> list[Packet]:
    return killer.command(bytes((c.COM_PROCESS_KILL,)) + (number & 0xFFFFFFFF).to_bytes(4, "little"))


def prepared(words: str) -> Kill:
    def kill(killer: WireClient, number: int) -> list[Packet]:
        packets = killer.command(query(f"{words} {number}").replace(b"\x03", b"\x16", 1), Reply.PREPARED)
        return killer.command(execute(int.from_bytes(packets[0][1][1:5], "little")))

    return kill


def with_parameter(words: str) -> Kill:
    def kill(killer: WireClient, number: int) -> list[Packet]:
        packets = killer.command(query(f"{words} ?").replace(b"\x03", b"\x16", 1), Reply.PREPARED)
        if first_error(packets):
            return packets
        values = [(LONG, number.to_bytes(4, "little"))]
        return killer.command(execute(int.from_bytes(packets[0][1][1:5], "little"), values))

    return kill


def by_greeting(target: WireClient) -> int:
    return target.connection_id


def by_function(target: WireClient) -> int:
    return int(target.query("SELECT CONNECTION_ID()")[-2][1][1:])


def without_numbers(packets: list[Packet]) -> list[Packet]:
    return [
        (sequence, re.sub(rb"(thread|id:) \d+", rb"\1 #", payload) if payload[:1] == b"\xff" else payload)
        for sequence, payload in packets
    ]


def remaining(target: WireClient) -> list[Packet | str]:
    """What a client receives until its connection is closed."""
    packets: list[Packet | str] = []
    try:
        while True:
            packets.append(target.packet())
    except ConnectionError:
        return [*packets, "closed"]


@pytest.fixture(params=[by_greeting, by_function])
def number_of(request: pytest.FixtureRequest) -> Callable[[WireClient], int]:
    found: Callable[[WireClient], int] = request.param
    return found


# On the primary, on a replica, and on the primary inside of a transaction.
SLOW = ("DO SLEEP(61)", "SELECT SLEEP(62)", "SELECT SLEEP(63)")
PLACES = pytest.mark.parametrize("slow", SLOW, ids=["primary", "replica", "transaction"])


def begin(target: WireClient, slow: str, cluster: Cluster, through_proxy: bool) -> None:
    """Have `slow` run where it belongs."""
    if slow == SLOW[2]:
        target.query("BEGIN")
        target.query(f"SELECT * FROM {SCHEMA}.item")
    target.send(query(slow))
    wait_until(lambda: runs(cluster, slow) != "", "the statement runs")
    assert (runs(cluster, slow) == "dbwrite") is (not through_proxy or slow != SLOW[1])


@PLACES
@pytest.mark.parametrize(
    "kill",
    [with_text("KILL QUERY"), prepared("kill query"), with_parameter("KILL QUERY")],
    ids=["text", "prepared", "?"],
)
def test_a_statement_is_killed(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, clients: ExitStack, number_of: Callable[[WireClient], int],
    slow: str, kill: Kill,
) -> None:  # fmt: skip
    outcomes = []
    for where in (shared_cluster.servers[0], shared_proxy):
        open_client = opener(shared_cluster, clients, where)
        target, killer = open_client(), open_client()
        number = number_of(target)
        begin(target, slow, shared_cluster, where is shared_proxy)
        answer = without_numbers(kill(killer, number))
        if first_error(answer):
            # MySQL takes no parameter in a KILL.
            killer.query(f"KILL QUERY {number}")
        outcomes.append((answer, target.reply(), target.query("SELECT 'alive'"), killer.query("SELECT 'alive'")))
        assert runs(shared_cluster, slow) == ""
    assert outcomes[0] == outcomes[1]


@PLACES
@pytest.mark.parametrize("words", ["KILL", "KILL CONNECTION", "/* a comment */ kill /* id */"])
def test_a_busy_session_is_killed(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, clients: ExitStack, number_of: Callable[[WireClient], int],
    slow: str, words: str,
) -> None:  # fmt: skip
    outcomes = []
    for where in (shared_cluster.servers[0], shared_proxy):
        open_client = opener(shared_cluster, clients, where)
        target, killer = open_client(), open_client()
        number = number_of(target)
        begin(target, slow, shared_cluster, where is shared_proxy)
        answer = killer.query(f"{words} {number}")
        outcomes.append((answer, remaining(target), killer.query("SELECT 'alive'")))
        wait_until(lambda: runs(shared_cluster, slow) == "", "the statement has ended")
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    "kill", [with_text("KILL"), with_command, prepared("KILL")], ids=["text", "command", "prepared"]
)
@pytest.mark.parametrize("wrote", [False, True])
def test_an_idle_session_is_killed(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, clients: ExitStack, number_of: Callable[[WireClient], int],
    kill: Kill, wrote: bool,
) -> None:  # fmt: skip
    outcomes = []
    for where in (shared_cluster.servers[0], shared_proxy):
        open_client = opener(shared_cluster, clients, where)
        target, killer = open_client(), open_client()
        target.query("SELECT 1")
        if wrote:
            target.query(f"DELETE FROM {SCHEMA}.item WHERE id = 1000")
        number = number_of(target)
        answer = kill(killer, number)
        if first_error(answer):
            # MySQL has no COM_PROCESS_KILL any more.
            killer.query(f"KILL {number}")
        outcomes.append((answer, remaining(target), without_numbers(killer.query("KILL 4000000000"))))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("words", ["KILL HARD", "KILL SOFT CONNECTION", "KILL HARD QUERY"])
def test_words_of_mariadb(shared_cluster: Cluster, shared_proxy: ProxyProcess, clients: ExitStack, words: str) -> None:
    open_client = opener(shared_cluster, clients, shared_proxy)
    target, killer = open_client(), open_client()
    answer = killer.query(f"{words} {target.connection_id}")
    if shared_cluster.flavor is Flavor.MYSQL:
        error = first_error(answer)
        assert error is not None
        assert str(target.connection_id) in error.message or "CONNECTION" in error.message
    elif "QUERY" not in words:
        assert remaining(target) == ["closed"]
    else:
        assert first_error(answer) is None
        assert target.query("SELECT 'alive'")[-2][1] == b"\5alive"


@pytest.mark.parametrize("words", ["KILL QUERY {}", "KILL {}", "KILL QUERY CONNECTION_ID()", "KILL CONNECTION_ID()"])
def test_a_session_can_kill_itself(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, clients: ExitStack, number_of: Callable[[WireClient], int],
    words: str,
) -> None:  # fmt: skip
    outcomes: list[object] = []
    for where in (shared_cluster.servers[0], shared_proxy):
        client = opener(shared_cluster, clients, where)()
        client.query("SELECT 1")
        client.send(query(words.format(number_of(client))))
        if "QUERY" in words:
            outcomes.append((client.reply(), client.query("SELECT 'alive'")))
        else:
            outcomes.append(remaining(client))
    assert outcomes[0] == outcomes[1]


@PLACES
@pytest.mark.parametrize("words", ["KILL", "KILL QUERY"])
def test_whoever_may_not_kill_does_not(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, clients: ExitStack, number_of: Callable[[WireClient], int],
    slow: str, words: str,
) -> None:  # fmt: skip
    target = opener(shared_cluster, clients, shared_proxy)()
    killer = opener(shared_cluster, clients, shared_proxy, LOW)()
    number = number_of(target)
    begin(target, slow, shared_cluster, True)
    error = first_error(killer.query(f"{words} {number}"))
    assert error is not None
    assert (error.errno, error.message) == (NOT_OWNER, f"You are not owner of thread {number}")
    assert runs(shared_cluster, slow)
    assert first_error(opener(shared_cluster, clients, shared_proxy)().query(f"KILL QUERY {number}")) is None
    target.reply()
    assert target.query("SELECT 'alive'")[-2][1] == b"\5alive"


def test_a_session_that_was_not_killed_is_as_movable_as_before(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, clients: ExitStack
) -> None:
    primary = shared_cluster.servers[0]
    target = opener(shared_cluster, clients, shared_proxy)()
    killer = opener(shared_cluster, clients, shared_proxy, LOW)()
    assert first_error(killer.query(f"KILL {target.connection_id}")) is not None
    target.query(f"USE {SCHEMA}")
    with direct(shared_cluster, primary) as control:
        (number,) = (row[0] for row in run(control, "SHOW PROCESSLIST") if row[3] == SCHEMA)
        run(control, f"KILL {number}")
    with connect(shared_cluster, shared_proxy) as watcher:

        def connections() -> str:
            shown = run(watcher, f"SHOW PROXY SESSIONS LIKE '{primary.user}'")
            return next(str(row[8]) for row in shown if row[0] == target.connection_id)

        wait_until(lambda: primary.name not in connections(), "the proxy has seen its end", connections)
    for text in (f"SELECT * FROM {SCHEMA}.item FOR UPDATE", "SELECT 'alive'"):
        assert first_error(target.query(text)) is None


def test_other_ids_are_for_the_primary(shared_cluster: Cluster, shared_proxy: ProxyProcess, clients: ExitStack) -> None:
    primary = shared_cluster.servers[0]
    outsider = opener(shared_cluster, clients, primary)()
    killer = opener(shared_cluster, clients, shared_proxy)()
    error = first_error(killer.query("KILL 4294967295"))
    assert error is not None
    assert (error.errno, error.message) == (UNKNOWN_THREAD, "Unknown thread id: 4294967295")
    assert first_error(killer.query(f"KILL {by_function(outsider)}")) is None
    assert remaining(outsider) == ["closed"]
