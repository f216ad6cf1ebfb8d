"""The request that a session has at work: on which connection it is, and how far its reply has come."""

from proxy.backend.connection import BackendConnection
from proxy.session.core.request import Request
from proxy.session.shared.gate import begins_nothing
from proxy.wire.exchange import Exchange
from topology.servers import Role


class Turn:
    """One session's, one request at a time; `request` is None between two.

    `link` is the connection that it, or what has to come before it, was sent on. `exchange` is there once it was sent
    itself, and never without the `link`. `held` are the bytes of its reply that the client was not given yet,
    `forwarded` says that it was given some. `client_slow` says that the client takes no bytes for now.
    """

    def __init__(self) -> None:
        self.request: Request | None = None
        self.link: BackendConnection | None = None
        self.exchange: Exchange | None = None
        self.held = b""
        self.forwarded = False
        self.client_slow = False

    @property
    def at_primary(self) -> bool:
        """Whether the request is with the primary, and may begin something there."""
        link, request = self.link, self.request
        if link is None or request is None:
            return False
        return link.server.role is Role.PRIMARY and not begins_nothing(request.statement)

    def begin(self, request: Request) -> None:
        """The next request; the one before must be over."""
        self.request = request
        self.forwarded = False

    def sent(self, link: BackendConnection, exchange: Exchange) -> None:
        """The request is on its way on `link`."""
        self.link = link
        self.exchange = exchange
        self.held = b""
        if self.request is not None and self.request.whole is not None:
            self.request.whole.begin()

    def prelude_sent(self, link: BackendConnection) -> None:
        """What has to come before it is."""
        self.link, self.exchange = link, None

    def unsent(self) -> None:
        """The request is on no server: it waits, or what it was sent on is lost and it will be sent once more."""
        self.link = self.exchange = None
        self.held = b""

    def over(self) -> BackendConnection | None:
        """The request is done with; returns the connection that it ran on, if any."""
        link = self.link
        self.request = self.link = self.exchange = None
        return link
