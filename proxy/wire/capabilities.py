"""Which capability flags a client is offered, and which a server connection of its session is opened with.

Flags are 64 bits wide here: the upper half holds MariaDB's own (see `proxy.wire.handshake` for where they travel).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from proxy.wire import constants as c

# Without these two a client speaks the protocol of MySQL 4.0, which no server in support accepts either.
REQUIRED: Final = c.CLIENT_PROTOCOL_41 | c.CLIENT_SECURE_CONNECTION
# About the login itself, which the proxy does in its own way with each side.
_LOGIN: Final = c.CLIENT_PLUGIN_AUTH | c.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA | c.CLIENT_CONNECT_ATTRS
# What works because a session's server connections are opened with the session's own flags. The first is
# CLIENT_LONG_PASSWORD to MySQL; without it MariaDB tells that it has flags of its own.
_RELAYED: Final = (
    c.CLIENT_LONG_PASSWORD
    | c.CLIENT_FOUND_ROWS
    | c.CLIENT_LONG_FLAG
    | c.CLIENT_CONNECT_WITH_DB
    | c.CLIENT_NO_SCHEMA
    | c.CLIENT_LOCAL_FILES
    | c.CLIENT_ODBC
    | c.CLIENT_IGNORE_SPACE
    | c.CLIENT_INTERACTIVE
    | c.CLIENT_IGNORE_SIGPIPE
    | c.CLIENT_TRANSACTIONS
    | c.CLIENT_RESERVED
    | c.CLIENT_MULTI_STATEMENTS
    | c.CLIENT_MULTI_RESULTS
    | c.CLIENT_PS_MULTI_RESULTS
    | c.CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS
    | c.CLIENT_SESSION_TRACK
    | c.CLIENT_DEPRECATE_EOF
    | c.CLIENT_OPTIONAL_RESULTSET_METADATA
    | c.CLIENT_QUERY_ATTRIBUTES
    | c.MARIADB_CLIENT_PROGRESS
    | c.MARIADB_CLIENT_STMT_BULK_OPERATIONS
    | c.MARIADB_CLIENT_EXTENDED_METADATA
    | c.MARIADB_CLIENT_CACHE_METADATA
    | c.MARIADB_CLIENT_BULK_UNIT_RESULTS
)
# How bytes get to the other end, which is agreed with each side by itself.
_TRANSPORT: Final = c.CLIENT_SSL | c.CLIENT_COMPRESS | c.CLIENT_ZSTD_COMPRESSION
# A server that lacks one of these cannot serve a session that has it: it would do something else.
_INDISPENSABLE: Final = c.CLIENT_MULTI_RESULTS
# What its commands or replies lack can be made up for (see `proxy.wire.translator` and `proxy.wire.unattributed`), on
# servers that only read: there no statement is prepared for a client, whose reply would have to be another, too.
_TRANSLATED: Final = (
    c.CLIENT_OPTIONAL_RESULTSET_METADATA
    | c.CLIENT_QUERY_ATTRIBUTES
    | c.MARIADB_CLIENT_EXTENDED_METADATA
    | c.MARIADB_CLIENT_CACHE_METADATA
)


def offered(primary: int, added: int = 0) -> int:
    """What a client may ask for: what can be relayed and the primary has, and what the proxy does by itself.

    `primary` are the flags of the primary's greeting; `added` are those that the proxy's settings allow on top.
    """
    return primary & _RELAYED | REQUIRED | _LOGIN | added


def towards_server(session: int, server: int, tracked: bool = False) -> int:
    """The flags of a server connection, for a session with the flags `session` and a greeting with `server`.

    With `tracked` the server is to tell how the session's state changes, whether the client wants to know or not.
    """
    added = c.CLIENT_SESSION_TRACK if tracked else 0
    return (session & ~_TRANSPORT | REQUIRED | _LOGIN | added) & server


def lacking(session: int, server: int, *, primary: bool) -> int:
    """The flags of a session that a server with the greeting `server` would have to have and has not."""
    return session & (_INDISPENSABLE | (_TRANSLATED if primary else 0)) & ~server


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything agreed on a connection that changes how its replies are laid out.

    With `deprecate_eof` no EOF packet follows the column definitions, and an OK in all but its header ends the rows.
    With `session_track` an OK can tell how the session's state has changed.
    With `metadata_flag` a byte behind a result's number of columns says whether their definitions follow, with
    `extended_metadata` those have one field more. With
    `progress` there can be reports of it, which look like errors. With `local_files` the server may ask for a file.
    """

    deprecate_eof: bool = False
    session_track: bool = False
    metadata_flag: bool = False
    extended_metadata: bool = False
    progress: bool = False
    local_files: bool = False


@lru_cache(maxsize=256)
def layout_of(capabilities: int) -> Layout:
    """The layout of replies on a connection with these flags."""
    return Layout(
        deprecate_eof=bool(capabilities & c.CLIENT_DEPRECATE_EOF),
        session_track=bool(capabilities & c.CLIENT_SESSION_TRACK),
        metadata_flag=bool(capabilities & (c.CLIENT_OPTIONAL_RESULTSET_METADATA | c.MARIADB_CLIENT_CACHE_METADATA)),
        extended_metadata=bool(capabilities & c.MARIADB_CLIENT_EXTENDED_METADATA),
        progress=bool(capabilities & c.MARIADB_CLIENT_PROGRESS),
        local_files=bool(capabilities & c.CLIENT_LOCAL_FILES),
    )
