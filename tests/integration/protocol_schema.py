"""The schema that the protocol's tests talk about."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from proxy.wire import constants as c
from replication.sandbox import Cluster
from tests.support.clients import connect, direct, run, settle
from tests.support.proxies import ProxyProcess
from tests.support.waiting import wait_until
from tests.support.wireclient import Login, WireClient

SCHEMA: Final = "protocol_test"
# A user who may only read.
ORDINARY: Final = Login("ordinary", "pw", SCHEMA)
SETUP: Final = (
    "CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, value VARCHAR(100), big LONGBLOB)",
    "INSERT INTO item (value) VALUES ('one'), (NULL), ('three'), ('four'), ('five')",
    "CREATE TABLE noted (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(5), one INT DEFAULT 1, UNIQUE (note))",
    """CREATE TABLE wide (id INT PRIMARY KEY, ti TINYINT, su SMALLINT UNSIGNED, mi MEDIUMINT, bi BIGINT,
       bu BIGINT UNSIGNED, de DECIMAL(30,10), fl FLOAT, db DOUBLE, bt BIT(9), ye YEAR, da DATE, tm TIME(3),
       dt DATETIME(6), ts TIMESTAMP NULL, ch CHAR(5), vb VARBINARY(300), tx MEDIUMTEXT, bl BLOB,
       en ENUM('a','b'), st SET('x','y','z'), js JSON, ge GEOMETRY, zf INT(7) ZEROFILL)""",
    """INSERT INTO wide VALUES
       (1, -128, 65535, -8388608, -9223372036854775808, 18446744073709551615, 12345678901234567890.0123456789, 1.5,
        -2e300,
        b'101010101', 1999, '2024-02-29', '-838:59:58.123', '1999-12-31 23:59:59.999999', '2001-02-03 04:05:06', 'abc',
        REPEAT(0x00FF, 140), REPEAT('t', 70000), 0x00, 'b', 'x,z', '{"k": [1, null]}', ST_GeomFromText('POINT(1 2)'),
        42),
       (2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '1000-01-01', '00:00:00', '1000-01-01', NULL, '', '', '', '', 'a', '', '[]',
        NULL, 0),
       (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, NULL)""",
    "CREATE PROCEDURE several() BEGIN SELECT 1 AS a; SELECT id, value FROM item; DO 1; END",
    "CREATE PROCEDURE breaks() BEGIN SELECT 1 AS a; SELECT * FROM no_such_table; SELECT 2; END",
    "CREATE PROCEDURE answers(IN a INT, OUT b INT, INOUT c VARCHAR(20)) "
    "BEGIN SELECT a AS first; SET b = a * 2, c = CONCAT(c, '!'); END",
)


@contextmanager
def protocol_schema(cluster: Cluster, proxy: ProxyProcess) -> Iterator[None]:
    """Create the schema and wait until reads of it leave the primary; drop it at the end. Local files are allowed."""
    with connect(cluster, proxy) as connection, direct(cluster, cluster.servers[0]) as primary:
        ((local_files,),) = run(primary, "SELECT @@global.local_infile")
        run(primary, "SET GLOBAL local_infile = 1")
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"DROP USER IF EXISTS {ORDINARY.user}@'%'")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        connection.select_db(SCHEMA)
        for statement in SETUP:
            run(connection, statement)
        run(connection, f"CREATE USER {ORDINARY.user}@'%' IDENTIFIED BY '{ORDINARY.password}'")
        run(connection, f"GRANT SELECT ON {SCHEMA}.* TO {ORDINARY.user}@'%'")
        settle(cluster, connection)
        for host, port in ((proxy.host, proxy.port), (cluster.servers[0].host, cluster.servers[0].port)):
            with WireClient(host, port) as client:
                # What is asked for at an account's first login is asked for now.
                client.log_in(ORDINARY)
        wait_until(lambda: _offers_files(proxy), "the proxy has seen that local files are allowed")
        yield
        run(primary, f"SET GLOBAL local_infile = {local_files}")
        run(connection, f"DROP USER {ORDINARY.user}@'%'")
        run(connection, f"DROP DATABASE {SCHEMA}")


def _offers_files(proxy: ProxyProcess) -> bool:
    with WireClient(proxy.host, proxy.port) as client:
        return bool(client.greeting().capabilities & c.CLIENT_LOCAL_FILES)
