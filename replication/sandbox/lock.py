"""One `up` or `down` at a time in a directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from topology.errors import ConfigError

LOCK_NAME = ".lock"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, waiting for it; makes the directory if need be. A killed holder holds nothing.

    Raises ConfigError if the directory cannot be used.
    """
    descriptor = _acquire(directory)
    try:
        yield
    finally:
        os.close(descriptor)


def abandon(directory: Path) -> None:
    """Remove the lock that is held, and the directory if nothing else is in it."""
    directory.joinpath(LOCK_NAME).unlink(missing_ok=True)
    with suppress(OSError):
        directory.rmdir()


def _acquire(directory: Path) -> int:
    while True:
        descriptor = _open(directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_current(descriptor, directory / LOCK_NAME):
            return descriptor
        # Whoever held it has taken the directory down meanwhile.
        os.close(descriptor)


def _open(directory: Path) -> int:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"the directory {directory} cannot be used: {error.strerror}", "name another one with --dir"
        ) from None


def _is_current(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False
