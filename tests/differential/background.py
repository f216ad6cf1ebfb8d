"""Other sessions of the same user, at work through the same proxy while sequences run: each checks that what it has
set is its own, by value."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from types import TracebackType
from typing import Final, Self

from proxy.wire import constants as c
from tests.differential.schema import OTHERS, Administrator, login
from tests.support.proxies import ProxyProcess
from tests.support.wireclient import WireClient, first_error, text_rows

_SCHEMA: Final = f"{OTHERS}_a"
# In seconds, between two visits of one session: writes make replicas wait, so that few reads would leave the primary if
# there were many.
_LONGEST_PAUSE: Final = 0.8
# The same between two statements of a visit, where it may keep its connection from the others, who are to wait for
# that, but not most of the time; and for one visit in so many.
_WITHIN: Final = 0.005
_SLOWLY: Final = 0.1
_SLOW: Final = 10


class Others:
    """So many sessions, from `with` to its end, where what they found to be wrong is raised."""

    def __init__(self, proxy: ProxyProcess, administrator: Administrator, count: int) -> None:
        self._proxy = proxy
        self._administrator = administrator
        self._over = threading.Event()
        self._failures: list[str] = []
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(count)]
        self.statements = 0

    def __enter__(self) -> Self:
        self._administrator.run(f"DROP DATABASE IF EXISTS {_SCHEMA}", f"CREATE DATABASE {_SCHEMA}")
        self._administrator.run(f"CREATE TABLE {_SCHEMA}.row_of (session INT PRIMARY KEY, value INT)")
        for number in range(len(self._threads)):
            self._administrator.run(f"INSERT INTO {_SCHEMA}.row_of VALUES ({number}, 0)")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._administrator.run(f"DROP DATABASE {_SCHEMA}")
        if self._failures and kind is None:
            raise AssertionError("\n".join(self._failures))

    def _work(self, number: int) -> None:
        random = Random(number)
        try:
            while not self._over.is_set():
                with self._session(number, random) as session:
                    for _ in range(random.randint(3, 30)):
                        session.rest()
                        random.choice(_VISITS)(session)
        except Over:
            return
        except Exception as error:
            self._failures.append(f"session {number}: {error!r}")

    @contextmanager
    def _session(self, number: int, random: Random) -> Iterator["Session"]:
        with WireClient(self._proxy.host, self._proxy.port) as client:
            client.log_in(login(_SCHEMA, 0))
            session = Session(client, number, random, self._over)
            try:
                yield session
            finally:
                self.statements += session.statements


class Over(Exception):
    """The sequences are done."""


class Session:
    """One of them: `tag` is a value that is no other session's."""

    def __init__(self, client: WireClient, number: int, random: Random, over: threading.Event) -> None:
        self._client = client
        self._over = over
        self.number = number
        self.random = random
        self.tag = number * 1000
        self.statements = 0
        self._pause = 0.0

    def rest(self) -> None:
        """A while between two visits. Raises Over at the end."""
        self._wait(_LONGEST_PAUSE)
        self._pause = _SLOWLY if self.random.randrange(_SLOW) == 0 else _WITHIN

    def _wait(self, longest: float) -> None:
        if self._over.wait(self.random.random() * longest):
            raise Over

    def run(self, text: str) -> list[tuple[bytes | None, ...]]:
        """Run a statement after a short while; its rows. Raises AssertionError for an error, Over at the end."""
        self._wait(self._pause)
        self.statements += 1
        packets = self._client.query(text)
        error = first_error(packets)
        assert error is None, f"{text}: {error}"
        return text_rows(packets)

    def expect(self, text: str, *wanted: str | None) -> None:
        """A statement has one row, of these values."""
        values = [tuple(None if value is None else value.decode() for value in row) for row in self.run(text)]
        assert values == [wanted], f"{text}: {values} instead of {wanted}"

    def reset(self) -> None:
        """COM_RESET_CONNECTION."""
        self._client.command(bytes((c.COM_RESET_CONNECTION,)))


def _settings(session: Session) -> None:
    session.tag += 1
    # Not any minutes: MariaDB 10.11 takes some offsets for others, +05:26 for +07:42 once that was used.
    zone = f"+{session.number % 12:02}:{session.tag % 2 * 30:02}"
    session.run(f"SET time_zone = '{zone}', @mine = {session.tag}")
    session.expect("SELECT @mine, @@time_zone", str(session.tag), zone)
    session.expect(
        f"SELECT @mine, session FROM row_of WHERE session = {session.number}", str(session.tag), str(session.number)
    )


def _modes(session: Session) -> None:
    session.run("SET sql_mode = 'ANSI_QUOTES'")
    session.expect(f'SELECT "session" FROM row_of WHERE session = {session.number}', str(session.number))
    session.run("SET sql_mode = DEFAULT")


def _schema(session: Session) -> None:
    session.run("USE information_schema")
    session.expect("SELECT DATABASE()", "information_schema")
    session.run(f"USE {_SCHEMA}")
    session.expect("SELECT DATABASE()", _SCHEMA)


def _transaction(session: Session) -> None:
    session.tag += 1
    session.run("BEGIN")
    session.run(f"UPDATE row_of SET value = {session.tag} WHERE session = {session.number}")
    session.expect(f"SELECT value FROM row_of WHERE session = {session.number}", str(session.tag))
    session.run("COMMIT")
    session.expect(f"SELECT value FROM row_of WHERE session = {session.number}", str(session.tag))


def _temporary(session: Session) -> None:
    session.tag += 1
    session.run("CREATE TEMPORARY TABLE mine (a INT)")
    session.run(f"INSERT INTO mine VALUES ({session.tag})")
    session.expect("SELECT a FROM mine", str(session.tag))
    session.run("DROP TEMPORARY TABLE mine")


def _lock(session: Session) -> None:
    name = f"{OTHERS}{session.number}"
    session.expect(f"SELECT GET_LOCK('{name}', 0)", "1")
    session.expect(f"SELECT RELEASE_LOCK('{name}')", "1")


def _prepared(session: Session) -> None:
    session.run(f"PREPARE mine FROM 'SELECT {session.tag}'")
    session.expect("EXECUTE mine", str(session.tag))
    session.run("DEALLOCATE PREPARE mine")


def _read(session: Session) -> None:
    session.expect(f"SELECT session FROM row_of WHERE session = {session.number}", str(session.number))


_Visit = Callable[[Session], None]
_VISITS: Final[tuple[_Visit, ...]] = (
    *(_settings, _settings, _modes, _schema, _temporary, _lock, _prepared, _read, _read, _read, _read),
    *(Session.reset, _transaction),
)
