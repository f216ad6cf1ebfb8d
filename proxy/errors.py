"""Whose fault it is: the client's, a server's, or ours. Each error carries what the client is told."""

from proxy.wire.constants import ER_SERVER_SHUTDOWN
from proxy.wire.replies import Err


class SessionError(Exception):
    """Base: something a client is told with an ERR packet."""

    def __init__(self, err: Err) -> None:
        super().__init__(f"{err.errno} ({err.sqlstate}): {err.message}")
        self.err = err


class ClientFault(SessionError):
    """The client asked for something that it may not have."""


class ServerRefused(SessionError):
    """A server answered a login with an error; the client gets it as it is."""


class ServerLost(SessionError):
    """A server could not be reached, or went away."""


def refusal(err: Err) -> ServerLost | ServerRefused:
    """What a server's error during a login comes to: one that shuts down is as good as gone."""
    return ServerLost(err) if err.errno == ER_SERVER_SHUTDOWN else ServerRefused(err)
