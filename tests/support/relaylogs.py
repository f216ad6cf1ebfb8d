"""What a killed replica may come back with: an index of relay logs that names one which is gone."""

from replication.sandbox import LocalServer


def lose_a_relay_log(server: LocalServer) -> None:
    """Kill the server, and start it again without the first of the files that its index names.

    Seen of MariaDB 10.11 and MySQL 9.7 themselves, when they are killed while a start of replication throws away what
    was received.
    """
    server.kill()
    (index,) = server.datadir.glob("*-relay-bin.index")
    first = index.read_text().split()[0]
    (server.datadir / first).unlink()
    server.start()
