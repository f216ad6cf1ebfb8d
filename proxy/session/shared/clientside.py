"""What a session's side towards the servers tells its side towards the client."""

from typing import Protocol

from proxy.session.core.request import Request
from proxy.session.shared.kills import Target
from proxy.wire.replies import Err


class Client(Protocol):
    """The client's side of a session, as its runner needs it."""

    @property
    def presence(self) -> Target:
        """The session as others see it."""

    def close(self) -> None:
        """End the session."""

    def request_sent(self) -> None:
        """The (first bytes of the) request were given to a server."""

    def file_wanted(self, sequence: int) -> None:
        """The server asks the client for a file, and has its request, packet number `sequence`, passed on."""

    def reply_goes_on(self) -> None:
        """A part of the reply was written, and more follows."""

    def request_over(self) -> None:
        """The reply to the request is complete."""

    def refuse(self, request: Request, err: Err) -> None:
        """Answer the request with an error of ours; it was not run."""

    def lose(self, err: Err, sequence: int) -> None:
        """The reply will not be completed: tell the client in packet number `sequence`, unless that is 0, and close."""

    def state_lost(self, farewell: bytes) -> None:
        """The session cannot go on: state of it is gone. `farewell` is what its server had to say, if anything."""

    def refuse_waiting(self, err: Err) -> None:
        """State of the session is gone: a command that no server has seen, if there is one, is not for any other."""

    def pause_client(self) -> None:
        """The server takes no more bytes for now."""

    def resume_client(self) -> None:
        """The server takes bytes again."""
