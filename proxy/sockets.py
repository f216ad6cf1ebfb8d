"""The sockets that this process listens on: its own, systemd's, or those of the process that it takes over from."""

import asyncio
import errno
import json
import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from topology.addresses import endpoint
from topology.errors import ConfigError

log = logging.getLogger(__name__)

CLIENTS: Final = "clients"
HTTP: Final = "http"
# By what is served on them: CLIENTS or HTTP.
Sockets: TypeAlias = dict[str, list[socket.socket]]

_BACKLOG: Final = 1024
# The first descriptor that systemd passes, as sd_listen_fds(3) says.
_FIRST: Final = 3
# What a successor says once it serves.
SERVING: Final = b"serving"
# Sockets that are passed at once, and bytes that say what they are.
_MOST: Final = 64
_WORDS: Final = 4096
# Seconds for the predecessor's answer.
_PATIENCE: Final = 5.0


def bound(host: str, port: int, flag: str) -> socket.socket:
    """A socket of our own that listens. Raises ConfigError, which names the flag for another address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise cannot_listen(host, port, flag, error) from None


async def listened(host: str, port: int) -> list[socket.socket]:
    """Sockets of our own that listen on all addresses of a host, as asyncio's servers do. Raises ConfigError."""
    try:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port, start_serving=False)
    except OSError as error:
        raise cannot_listen(host, port, "--listen", error) from None
    found = [socket.socket(fileno=os.dup(each.fileno())) for each in server.sockets]
    server.close()
    for each in found:
        each.listen(_BACKLOG)
    return found


def cannot_listen(host: str, port: int, flag: str, error: OSError) -> ConfigError:
    """Why an address cannot be listened on."""
    why = "it is in use by another program" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
    return ConfigError(f"cannot listen on {endpoint(host, port)}: {why}", f"choose another {flag}")


def of_systemd(variables: Mapping[str, str], process: int) -> Sockets:
    """What systemd has opened for the process of that id; a socket named http is for HTTP, all others for clients."""
    if variables.get("LISTEN_PID") != str(process):
        return {}
    names = variables.get("LISTEN_FDNAMES", "").split(":")
    found: Sockets = {}
    for number in range(int(variables.get("LISTEN_FDS", "0"))):
        name = names[number] if number < len(names) else ""
        found.setdefault(HTTP if name == HTTP else CLIENTS, []).append(socket.socket(fileno=_FIRST + number))
        os.set_inheritable(_FIRST + number, False)
    return found


def pass_on(peer: socket.socket, sockets: Sockets) -> None:
    """Give a successor the same sockets. Raises OSError."""
    words = json.dumps({name: len(each) for name, each in sockets.items()})
    numbers = [one.fileno() for each in sockets.values() for one in each]
    socket.send_fds(peer, [words.encode()], numbers)


def take_over(path: Path) -> tuple[Sockets, socket.socket] | None:
    """The sockets of the process that serves `path`, and the connection to it; None when there is none.

    Raises ConfigError when it is something else.
    """
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(_PATIENCE)
    try:
        peer.connect(str(path))
        words, numbers, _, _ = socket.recv_fds(peer, _WORDS, _MOST)
        counts = json.loads(words)
    except (FileNotFoundError, ConnectionRefusedError):
        peer.close()
        return None
    except (OSError, ValueError) as error:
        peer.close()
        raise ConfigError(f"cannot take over at {path}: {error}", "end the process that serves it") from None
    remaining = [socket.socket(fileno=number) for number in numbers]
    return {name: [remaining.pop(0) for _ in range(count)] for name, count in counts.items()}, peer


def listening(path: Path) -> socket.socket:
    """A socket at `path` for successors, in the place of any other; only for the same user. Raises ConfigError."""
    server, own = socket.socket(socket.AF_UNIX), path.with_name(f".{path.name}.{os.getpid()}")
    before = os.umask(0o177)
    try:
        server.bind(str(own))
        server.listen()
        # What was there goes on listening, but nobody finds it any more.
        own.replace(path)
    except OSError as error:
        server.close()
        own.unlink(missing_ok=True)
        raise ConfigError(f"cannot listen at {path}: {error}", "choose another --takeover") from None
    finally:
        os.umask(before)
    server.setblocking(False)
    return server
