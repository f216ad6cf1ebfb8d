"""Whose fault it is: the client's, a server's, or ours. Each error carries what the client is told."""

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
