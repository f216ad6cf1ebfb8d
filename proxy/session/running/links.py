"""The server connections of one session, by server."""

from proxy.backend.connection import BackendConnection
from proxy.routing.forms import Form
from proxy.routing.state import Seen


class Links(dict[str, BackendConnection]):
    """At most one connection to each server, by the server's name."""

    def add(self, link: BackendConnection) -> None:
        """Keep a new connection."""
        self[link.server.name] = link

    def remove(self, link: BackendConnection) -> bool:
        """Forget a connection; returns whether it was one of these."""
        if self.get(link.server.name) is not link:
            return False
        del self[link.server.name]
        return True

    def of(self, seen: Seen) -> BackendConnection | None:
        """The connection that has seen this, if it is still open."""
        return next((link for link in self.values() if link.seen is seen), None)

    def of_transaction(self, number: int) -> BackendConnection | None:
        """The connection with the twin of a read-only transaction."""
        return next((link for link in self.values() if link.seen.transaction == number), None)

    def close_statement(self, form: Form) -> list[tuple[BackendConnection, int]]:
        """Forget a prepared statement; returns where it is known and under which number."""
        known = []
        for link in list(self.values()):
            if form in link.seen.statements:
                known.append((link, link.seen.forget(form)))
        return known

    def close(self) -> None:
        """Close all."""
        for link in list(self.values()):
            link.close()
        self.clear()
