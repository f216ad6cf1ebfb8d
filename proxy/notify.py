"""Telling systemd how the process is, as sd_notify(3) describes. Without systemd nothing is told."""

import contextlib
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Sends messages to the socket that NOTIFY_SOCKET names."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        address = variables.get("NOTIFY_SOCKET", "")
        # An abstract socket is written with an @.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def ready(self) -> None:
        """Clients are served; also after a reload."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """The settings are read again."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """No more clients are taken."""
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(message.encode(), self._address)
