"""KILL among the sessions of this proxy: which server it is for, under which id, and what it means to its target.

The server judges whether the killer may: its own connection to the server where the target is at work runs the KILL,
with the id that the target has there.
"""

from collections.abc import Callable
from typing import Final, Protocol

from proxy.session.core.request import Request
from proxy.sql.kill import Kill
from proxy.wire import constants as c
from proxy.wire.framing import frame
from proxy.wire.replies import Err, err_payload, parse_err
from topology.servers import Server

# What a KILL of its own connection is answered with before the server closes that.
_STRUCK_ITSELF: Final = frozenset({c.ER_QUERY_INTERRUPTED, c.ER_CONNECTION_KILLED})


class Target(Protocol):
    """A session that can be killed."""

    @property
    def user(self) -> str:
        """Whose session it is."""

    def thread(self) -> tuple[Server, int] | None:
        """The server where it is at work, the primary if it is at rest, and its thread's id there; None without one."""

    def summon(self, done: Callable[[Err | None], None]) -> None:
        """Get it a thread on the primary, and call `done`, with an error if that could not be had."""

    def condemn(self, *, connection: bool) -> None:
        """A KILL is under way to its thread: no other session may get that. `connection`: it is about to be closed."""

    def pardon(self, *, struck: bool, connection: bool) -> None:
        """That KILL is over, and has not closed it; `struck`: the server did as it was asked."""

    def interrupt(self) -> None:
        """End the statement that waits for a connection, if there is one."""

    def close(self) -> None:
        """End it."""


class Killing:
    """One KILL of one session's. `own` tells that the killer means itself, `user` and `capabilities` are the killer's.

    A session that has no thread, because others have its server connections, has nothing that a server could kill.
    """

    def __init__(self, kill: Kill, target: Target, own: bool, user: str, capabilities: int) -> None:
        self._kill = kill
        self._target = target
        self._own = own
        self._user = user
        self._capabilities = capabilities
        self._thread = 0

    def aim(self, request: Request) -> bool:
        """Make the request one for the server of the target; False when that has no thread."""
        thread = self._target.thread()
        if thread is None:
            return False
        server, self._thread = thread
        request.at, request.prepared, request.packet = server, None, self._kill.packet(self._thread, self._capabilities)
        self._target.condemn(connection=self._kill.connection)
        return True

    def strike(self) -> bool:
        """Kill a target without a thread; False when a server has to be asked whether the killer may.

        Users may kill what is their own, by name: THD::user_matches of both vendors.
        """
        if self._own or self._user != self._target.user:
            return False
        if self._kill.connection:
            self._target.close()
        else:
            self._target.interrupt()
        return True

    def summon(self, done: Callable[[Err | None], None]) -> None:
        """Get the target a thread, so that a server can judge."""
        self._target.summon(done)

    def over(self, errno: int) -> None:
        """The KILL was answered, or will not be."""
        if not self._thread:
            return
        if self._kill.connection and (not errno or (self._own and errno in _STRUCK_ITSELF)):
            self._target.close()
        elif not (self._kill.connection and self._own):
            self._target.pardon(struck=not errno, connection=self._kill.connection)

    def restated(self, reply: bytes, sequence: int) -> bytes:
        """An ERR packet about the server's thread, with the id that the client knows."""
        err = parse_err(reply[4:])
        number = self._thread if self._kill.target is None else self._kill.target
        message = err.message.replace(str(self._thread), str(number))
        return frame(err_payload(Err(err.errno, message, err.sqlstate)), sequence)
