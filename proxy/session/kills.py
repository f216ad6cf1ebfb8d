"""KILL among the sessions of this proxy: which server it is for, under which id, and what it means to its target.

The server judges whether the killer may: its own connection to the server where the target is at work runs the KILL,
with the id that the target has there.
"""

from typing import Protocol

from proxy.session.request import Request
from proxy.session.wording import unknown_thread
from proxy.sql.kill import Kill
from proxy.wire.framing import frame
from proxy.wire.replies import Err, err_payload, parse_err
from topology.servers import Server


class Target(Protocol):
    """A session that can be killed."""

    def thread(self) -> tuple[Server, int] | None:
        """The server where it is at work, the primary if it is at rest, and its thread's id there; None without one."""

    def condemn(self) -> None:
        """It is about to be killed: what happens to its connections now is no accident."""

    def pardon(self) -> None:
        """It is not killed after all."""

    def close(self) -> None:
        """End it."""


class Killing:
    """One KILL of one session's. `own` tells that the killer means itself, `capabilities` are the killer's."""

    def __init__(self, kill: Kill, number: int, target: Target, own: bool, capabilities: int) -> None:
        self._kill = kill
        self._number = number
        self._target = target
        self._own = own
        self._capabilities = capabilities
        self._thread = 0

    def aim(self, request: Request) -> Err | None:
        """Make the request one for the server of the target; an error when it is nowhere."""
        thread = self._target.thread()
        if thread is None:
            return unknown_thread(self._number)
        server, self._thread = thread
        request.at, request.prepared, request.packet = server, None, self._kill.packet(self._thread, self._capabilities)
        if self._kill.connection:
            self._target.condemn()
        return None

    def over(self, errno: int) -> None:
        """The KILL was answered."""
        if not self._kill.connection:
            return
        if not errno:
            self._target.close()
        elif not self._own:
            self._target.pardon()

    def restated(self, reply: bytes, sequence: int) -> bytes:
        """An ERR packet about the server's thread, with the id that the client knows."""
        err = parse_err(reply[4:])
        message = err.message.replace(str(self._thread), str(self._number))
        return frame(err_payload(Err(err.errno, message, err.sqlstate)), sequence)
