"""Servers behind relays, and a proxy that knows them only by these."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pymysql

from replication.sandbox import Cluster, Flavor, LocalServer
from tests.support.clients import connect, direct, run
from tests.support.clusters import replicating_cluster
from tests.support.proxies import ROOT, ProxyProcess, started_proxy
from tests.support.relay import Relay, relaying
from tests.support.waiting import wait_until
from tests.support.wireclient import Login

SCHEMA = "history"
REGISTERS = 50
LISTS = 4000
# A killed server keeps what it has acknowledged, also if the machine is killed with it.
DURABLE = {"sync_binlog": "1", "innodb_flush_log_at_trx_commit": "1"}
# A killed server may not be able to open its relay log again, and then starts no replication before it is reset.
_WORDS = {
    Flavor.MARIADB: ("STOP SLAVE", "RESET SLAVE", "CHANGE MASTER TO MASTER_DELAY = {}", "START SLAVE"),
    Flavor.MYSQL: (
        "STOP REPLICA",
        "RESET REPLICA",
        "CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {}",
        "START REPLICA",
    ),
}


class Site:
    """`primary` is the name of the server that has this place; `relays` lead from the proxy to each server by name."""

    def __init__(self, cluster: Cluster, relays: dict[str, Relay]) -> None:
        self.cluster = cluster
        self.relays = relays
        self.primary = cluster.servers[0].name

    @property
    def login(self) -> Login:
        """The account of all clients."""
        first = self.cluster.servers[0]
        return Login(first.user, first.password)

    def server(self, name: str) -> LocalServer:
        return self.cluster.server(name)

    @property
    def replicas(self) -> list[str]:
        return [server.name for server in self.cluster.servers if server.name != self.primary]

    def url(self, port: int) -> str:
        first = self.cluster.servers[0]
        return f"mysql://{first.user}:{first.password}@{first.host}:{port}"

    def flags(self) -> list[str]:
        """The servers, for a proxy, in the order of the cluster: their names are the same there."""
        writer, *readers = (relay.port for relay in self.relays.values())
        return ["--writer", self.url(writer), *(part for port in readers for part in ("--reader", self.url(port)))]

    def on(self, name: str, *statements: str) -> list[tuple[object, ...]]:
        """Run statements on a server itself; the rows of the last."""
        rows: list[tuple[object, ...]] = []
        with direct(self.cluster, self.server(name)) as connection:
            for statement in statements:
                rows = list(run(connection, statement))
        return rows

    def delay(self, name: str, seconds: int) -> None:
        """Have a replica apply everything so much later."""
        self.on(name, *(words.format(seconds) for words in _WORDS[self.cluster.flavor]))

    def states(self, proxy: ProxyProcess) -> dict[str, str]:
        """The state of each server, as the proxy sees it; nothing while it takes no logins."""
        try:
            with connect(self.cluster, proxy) as client:
                return {row[0]: row[3] for row in run(client, "SHOW PROXY SERVERS")}
        except pymysql.MySQLError:
            return {}

    def switch(self, proxy: ProxyProcess, to: str) -> str:
        """Change the primary; what went wrong, if anything did."""
        others = [name for name in self.replicas if name != to]
        command = [sys.executable, "-m", "replication.switchover", to, "--json"]
        # The command names replicas by their order.
        command[3] = "dbread1"
        command += ["--writer", self.url(self.server(self.primary).port), "--proxy", self.url(proxy.port)]
        for name in (to, *others):
            command += ["--reader", self.url(self.server(name).port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stdout + done.stderr
        assert json.loads(done.stdout)["to"]["name"] == "dbread1"
        self.primary = to
        return ""

    def fill(self) -> None:
        """Registers and lists with nothing in them."""
        rows = ", ".join(f"({number}, 0)" for number in range(REGISTERS))
        lists = ", ".join(f"({number}, '')" for number in range(LISTS))
        self.on(
            self.primary,
            f"CREATE DATABASE {SCHEMA}",
            f"CREATE TABLE {SCHEMA}.registers (id INT PRIMARY KEY, v INT NOT NULL) ENGINE = InnoDB",
            f"CREATE TABLE {SCHEMA}.lists (id INT PRIMARY KEY, items TEXT NOT NULL) ENGINE = InnoDB",
            f"INSERT INTO {SCHEMA}.registers VALUES {rows}",
            f"INSERT INTO {SCHEMA}.lists VALUES {lists}",
        )

    def empty(self) -> None:
        """The same again, on every server."""
        self.on(self.primary, f"UPDATE {SCHEMA}.registers SET v = 0", f"UPDATE {SCHEMA}.lists SET items = ''")
        wait_until(lambda: not any(any(self.contents(name).values()) for name in self.replicas), "replicas have it")

    def contents(self, name: str) -> dict[str, tuple[int, ...]]:
        """All registers and lists as a server has them."""
        found: dict[str, tuple[int, ...]] = {}
        for number, value in self.on(name, f"SELECT id, v FROM {SCHEMA}.registers"):
            found[f"register {number}"] = (int(str(value)),) if value else ()
        for number, items in self.on(name, f"SELECT id, items FROM {SCHEMA}.lists WHERE items <> ''"):
            found[f"list {number}"] = tuple(map(int, str(items).split()))
        return found

    def mend(self) -> None:
        """Every server runs, is reached, and applies at once."""
        for relay, server in zip(self.relays.values(), self.cluster.servers, strict=True):
            relay.hold()
            relay.delay = 0.0
            relay.switch(server.port, breaking=False)
            server.start()
        for name in self.replicas:
            self.delay(name, 0)

    def wait_until_healthy(self, proxy: ProxyProcess) -> None:
        """Wait until the proxy uses every server."""
        wait_until(
            lambda: set(self.states(proxy).values()) == {"healthy"}, "all servers are healthy", lambda: proxy.log
        )


@contextmanager
def history_site(flavor: Flavor) -> Iterator[Site]:
    """A primary and two replicas of their own, filled."""
    with replicating_cluster(flavor, 2, DURABLE) as cluster, ExitStack() as stack:
        made = Site(cluster, {server.name: stack.enter_context(relaying(server.port)) for server in cluster.servers})
        made.fill()
        yield made


@contextmanager
def history_proxy(site: Site, *arguments: str) -> Iterator[ProxyProcess]:
    """A proxy, once it uses every server."""
    with started_proxy(*site.flags(), *arguments) as proxy:
        proxy.wait_for_log("serving on")
        site.wait_until_healthy(proxy)
        yield proxy
