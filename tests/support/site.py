"""A primary behind a fixed address and its two replicas, for tests that break and mend them. Both vendors."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pymysql

from replication.sandbox import Cluster, Flavor
from tests.support.clusters import blank_cluster
from tests.support.relay import Relay, relaying
from topology.environment import Deployment, deployment, read_environment
from topology.servers import Server

_OLDER = (("REPLICATION SOURCE", "MASTER"), ("SOURCE", "MASTER"), ("REPLICA", "SLAVE"))


class Site:
    """`relay` leads to whichever server is the primary; all others are asked at their own addresses."""

    def __init__(self, cluster: Cluster, relay: Relay) -> None:
        self.cluster = cluster
        self.relay = relay

    @property
    def mariadb(self) -> bool:
        return self.cluster.flavor is Flavor.MARIADB

    def deployment(self, *names: str) -> Deployment:
        """The primary at its fixed address, and these replicas."""
        found = deployment(read_environment({}, self.cluster.environment_file))
        return Deployment(self.primary, tuple(each for each in found.replicas if each.name in names))

    @property
    def primary(self) -> Server:
        found = deployment(read_environment({}, self.cluster.environment_file))
        return replace(found.primary, port=self.relay.port)

    def flags(self, *names: str) -> list[str]:
        """The same for a command line: an environment.json with these servers."""
        found = self.deployment(*names)
        variables = {"MASTER": found.primary.name, "SLAVES": " ".join(names)}
        for server in found.servers:
            parts = {"HOST": server.host, "PORT": server.port, "LOGIN": server.user, "PASSWORD": server.password}
            variables |= {f"DOTCLOUD_{server.name.upper()}_MYSQL_{part}": str(value) for part, value in parts.items()}
        file = self.cluster.directory.parent / "environment.json"
        file.write_text(json.dumps(variables))
        return ["--environment", str(file)]

    def query(self, name: str, *statements: str) -> list[dict[str, Any]]:
        """Run the statements, written in MySQL's words, in one connection to `name`; the rows of the last."""
        with self._connect(name) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(self._words(statement))
            return list(cursor.fetchall())

    def _words(self, statement: str) -> str:
        if self.mariadb and "REPLICA" in statement:
            for new, old in _OLDER:
                statement = statement.replace(new, old)
        return statement

    def _connect(self, name: str) -> Any:
        server = self.cluster.server(name)
        for password in (self.cluster.servers[0].password, server.password):
            try:
                return pymysql.connect(
                    host=server.host,
                    port=server.port,
                    user=server.user,
                    password=password,
                    autocommit=True,
                    cursorclass=pymysql.cursors.DictCursor,
                )
            except pymysql.err.OperationalError as error:
                if error.args[0] != 1045:
                    raise
        raise AssertionError(f"{name} accepts neither password")

    def writable(self, name: str) -> None:
        """Let clients write to a replica."""
        if not self.mariadb:
            self.query(name, "SET GLOBAL super_read_only = 0")
        self.query(name, "SET GLOBAL read_only = 0")

    def take_over(self, name: str, *, breaking: bool = True) -> None:
        """`name` becomes the primary and gets the fixed address; whoever had it is no more there.

        Unless it is `breaking`, connections to the one before stay open.
        """
        self.query(name, "STOP REPLICA", "RESET REPLICA ALL")
        self.writable(name)
        self.relay.switch(self.cluster.server(name).port, breaking=breaking)

    def wipes(self, name: str) -> int:
        """How many schemas were dropped there since the server started: a copy drops all of them first."""
        row = self.query(name, "SHOW GLOBAL STATUS LIKE 'Com_drop_db'")[0]
        return int(row["Value"])


@contextmanager
def site(flavor: Flavor) -> Iterator[Site]:
    """Blank servers, but for a schema `app` with two rows on the primary."""
    with blank_cluster(flavor) as cluster, relaying(cluster.servers[0].port) as relay:
        made = Site(cluster, relay)
        made.query(
            "dbwrite",
            "CREATE DATABASE app",
            "CREATE TABLE app.t (id INT PRIMARY KEY, v INT)",
            "INSERT INTO app.t VALUES (1, 1), (2, 2)",
        )
        yield made
