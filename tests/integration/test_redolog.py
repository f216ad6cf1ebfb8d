"""The redo log of a replica while it is loaded."""

import re

from replication.sandbox import Flavor
from tests.support.clients import direct, run
from tests.support.clusters import blank_cluster, start_replication

SIZE = 4 << 20
ROWS = "SELECT seq, REPEAT('x', 2000) FROM mysql.seq_1_to_10000"
PACE = "SELECT @@innodb_io_capacity, @@innodb_io_capacity_max"


def test_it_is_larger_meanwhile_and_has_its_size_again() -> None:
    """MariaDB's: MySQL has its log grow by itself."""
    sizes = {"innodb_log_file_size": str(SIZE), "innodb_log_buffer_size": "2M"}
    with blank_cluster(Flavor.MARIADB, 1, sizes) as cluster:
        primary, replica = cluster.servers
        with direct(cluster, primary) as connection:
            run(connection, "CREATE DATABASE app")
            run(connection, "CREATE TABLE app.item (id INT PRIMARY KEY, text VARCHAR(2000)) ENGINE = InnoDB")
            run(connection, f"INSERT INTO app.item {ROWS}")
            run(connection, "ANALYZE TABLE app.item")
        with direct(cluster, replica, password=replica.password) as connection:
            before = run(connection, PACE)
        start_replication(cluster)
        with direct(cluster, replica) as connection:
            assert run(connection, "SELECT COUNT(*) FROM app.item") == ((10_000,),)
            assert run(connection, "SELECT @@innodb_log_file_size") == ((SIZE,),)
            assert run(connection, PACE) == before
        found = re.findall(r"Resized log to ([\d.]+)MiB", replica.error_log.read_text())
        assert float(found[0]) > 16
        assert float(found[-1]) == 4
