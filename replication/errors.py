"""What can go wrong while replicas are set up, each kind with the exit code that a script sees."""

from enum import IntEnum

from topology.errors import AccessDenied, ConfigError, ManyreadsError, ServerUnreachable


class ExitCode(IntEnum):
    """Exit codes of every command of this package; docs/replication.md lists them for users."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    NOT_READY = 3
    REFUSED = 4
    BROKEN = 5
    DIVERGED = 6
    LAGGING = 7
    INTERRUPTED = 8


class Refused(ManyreadsError):
    """An interlock keeps a server from being changed; nothing was done to it."""


class NotReady(ManyreadsError):
    """A server did not answer, or did not catch up, within the time given."""


class HeldTooLong(NotReady):
    """A replica that was not behind would have had to be held for longer than it may be; it goes on."""


class ReplicationBroken(ManyreadsError):
    """A replica is attached but its replication stopped or cannot start."""


class Diverged(ReplicationBroken):
    """A replica has a history of its own, which only its operator can give up."""


class Purged(ReplicationBroken):
    """What a replica lacks is not in the binary log of its primary any more."""


class SchemaChanged(ManyreadsError):
    """The primary's tables were altered while they were copied: the copy has to start again."""


def exit_code(error: BaseException) -> ExitCode:
    """The exit code that tells a script which kind of failure `error` is."""
    match error:
        case Refused():
            return ExitCode.REFUSED
        case NotReady() | ServerUnreachable():
            return ExitCode.NOT_READY
        case Diverged():
            return ExitCode.DIVERGED
        case ReplicationBroken():
            return ExitCode.BROKEN
        case ConfigError() | AccessDenied():
            return ExitCode.USAGE
        case _:
            return ExitCode.INTERNAL
