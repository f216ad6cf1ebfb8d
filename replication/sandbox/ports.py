"""Ports for servers, each claimed as long as its owner is there: a server that is down keeps its own."""

import os
import random
import socket
from itertools import islice
from pathlib import Path

from replication.sandbox.lock import locked
from replication.sandbox.records import LOOPBACK
from topology.errors import ConfigError

# Below the ports that the kernel picks for outgoing connections (32768 and up on Linux, 49152 elsewhere): there a
# server that is down could find its port taken by some client.
_PORTS = range(20000, 30000)


def claim_ports(count: int, owner: Path) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, all different. Nobody else is given them while `owner` exists.

    That holds among the programs of one user of this machine. Raises ConfigError if there are not so many.
    """
    registry = _registry()
    with locked(registry):
        ports = _free_ports(count, registry)
        for port in ports:
            claim = registry / str(port)
            claim.unlink(missing_ok=True)
            claim.symlink_to(owner.absolute())
    return ports


def _registry() -> Path:
    """The directory of all claims: links to the owners, whose names are the ports."""
    return Path(f"/tmp/manyreads-ports-{os.getuid()}")


def _free_ports(count: int, registry: Path) -> list[int]:
    # A link to an owner that is gone does not "exist".
    free = (
        port
        for port in random.sample(_PORTS, len(_PORTS))
        if not (registry / str(port)).exists() and _nobody_listens(port)
    )
    ports = list(islice(free, count))
    if len(ports) < count:
        raise ConfigError(
            f"no {count} ports are free in {_PORTS.start} to {_PORTS.stop - 1}", "end some listeners there"
        )
    return ports


def _nobody_listens(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
