"""The server connections of one session, by server."""

from collections.abc import Iterator

from proxy.backend.connection import BackendConnection


class Links:
    """At most one connection to each server."""

    __slots__ = ("_by_name",)

    def __init__(self) -> None:
        self._by_name: dict[str, BackendConnection] = {}

    def __iter__(self) -> Iterator[BackendConnection]:
        return iter(list(self._by_name.values()))

    def get(self, name: str) -> BackendConnection | None:
        """The usable connection to the server of that name."""
        return self._by_name.get(name)

    def add(self, link: BackendConnection) -> None:
        """Keep a new connection."""
        self._by_name[link.server.name] = link

    def remove(self, link: BackendConnection) -> bool:
        """Forget a connection; returns whether it was one of these."""
        if self._by_name.get(link.server.name) is not link:
            return False
        del self._by_name[link.server.name]
        return True

    def close_statement(self, number: int) -> list[tuple[BackendConnection, int]]:
        """Forget a prepared statement; returns where it is known and under which number."""
        known = []
        for link in self:
            server_number = link.seen.statements.pop(number, None)
            link.seen.types.pop(number, None)
            if server_number is not None:
                known.append((link, server_number))
        return known

    def close(self) -> None:
        """Close all."""
        for link in self:
            link.close()
        self._by_name.clear()
