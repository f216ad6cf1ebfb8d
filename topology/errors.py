"""Errors that every part of manyreads may raise towards its user.

Each message names the thing that is wrong and says what to do about it; `str(error)` is what a terminal shows.
"""


class ManyreadsError(Exception):
    """Base of all errors that are reported to a user as one clear line, without a traceback."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem if not remedy else f"{problem}\n  remedy: {remedy}")
        self.problem = problem
        self.remedy = remedy


class ConfigError(ManyreadsError):
    """A setting, flag, environment variable or configuration file cannot be used."""


class EnvironmentFileError(ConfigError):
    """environment.json is missing, unreadable, or does not name the servers that are needed."""


class ServerError(ManyreadsError):
    """A database server could not do what was asked; the message names the server."""


class ServerUnreachable(ServerError):
    """No connection to a server: refused, timed out, or dropped."""


class AccessDenied(ServerError):
    """A server refused the credentials, or a privilege is missing."""


class StatementRefused(ServerError):
    """A server answered a statement with an error packet.

    `errno` is the server's error number (for example 1290) and `sqlstate` its five characters, empty if unknown.
    """

    def __init__(self, problem: str, remedy: str = "", *, errno: int = 0, sqlstate: str = "") -> None:
        super().__init__(problem, remedy)
        self.errno = errno
        self.sqlstate = sqlstate
