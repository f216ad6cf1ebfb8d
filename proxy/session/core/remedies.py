"""What to do when a server answers with an error, or goes away in the middle of a request. Pure."""

from enum import IntEnum
from typing import Final

from proxy.routing.policy import REPLICA
from proxy.session.core.request import Request
from proxy.sql.statement import READ
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.exchange import Exchange

# Somebody wanted the statement to end: killed, or out of its time. Running it again would be wrong.
_MEANT_TO_FAIL: Final = frozenset({1028, 1907, 1969, 3024})
_PREPARE_AGAIN: Final = frozenset({c.ER_UNKNOWN_STMT_HANDLER, c.ER_NEED_REPREPARE})
# ER_OPTION_PREVENTS_STATEMENT (read_only), ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE
_READ_ONLY: Final = frozenset({1290, 1836})
_ABOUT_STATEMENTS: Final = frozenset({c.COM_STMT_PREPARE, c.COM_STMT_RESET})
REFUSED_AS_WRITE: Final = frozenset({1290, 1792, 1836})


# What can be tried again on the same server is tried so many times.
MOST_REPEATS: Final = 5
# In seconds: what the servers are now is known after about so long, if it is asked for.
UNTIL_SEEN: Final = 0.1


class Remedy(IntEnum):
    """What to do with a reply that is an error, of which the client has seen nothing."""

    PASS_ON = 0
    ASK_PRIMARY = 1
    ASK_WHETHER_ALIVE = 2
    PREPARE_AGAIN = 3
    MAKE_ROOM = 4
    AWAIT_PRIMARY = 5


def remedy(request: Request, errno: int, on_primary: bool) -> Remedy:
    """What to do with error `errno`.

    A server refuses a statement that it does not know, or wants to be prepared anew, before it runs any of it. The
    primary has the last word on every error: a replica can lack a table or a grant for a moment, or refuse what turned
    out to be a write. MySQL ends the statements under way with the same error when it shuts down as after a KILL QUERY,
    so it takes a question to tell the two apart.
    """
    if errno == c.ER_MAX_PREPARED_STMT_COUNT_REACHED and request.code == c.COM_STMT_PREPARE:
        return Remedy.MAKE_ROOM
    if errno in _PREPARE_AGAIN and request.code in EXECUTIONS and _can_be_prepared_again(request):
        return Remedy.PREPARE_AGAIN
    if on_primary and errno in _READ_ONLY and _is_whole(request):
        return Remedy.AWAIT_PRIMARY
    if on_primary and errno == c.ER_SERVER_SHUTDOWN and _changes_nothing(request):
        return Remedy.AWAIT_PRIMARY
    if request.route.target is not REPLICA or on_primary or errno in _MEANT_TO_FAIL:
        return Remedy.PASS_ON
    return Remedy.ASK_WHETHER_ALIVE if errno == c.ER_QUERY_INTERRUPTED else Remedy.ASK_PRIMARY


def _is_whole(request: Request) -> bool:
    """Whether an error means the statement itself: a procedure's body can be refused half-way."""
    return request.statement.reason == "write" and not request.streamed


def _can_be_prepared_again(request: Request) -> bool:
    """Once, if the server itself means the statement: a procedure's body can give the same errors half-way."""
    if request.repeats or request.prepared is None or request.prepared.spilled is not None:
        return False
    return request.statement.kind is READ or request.statement.reason == "write"


def may_move(request: Request, forwarded: bool, on_primary: bool) -> bool:
    """Whether a request whose server is gone can run elsewhere: it only reads, and the client has seen no reply."""
    if forwarded or on_primary:
        return False
    return request.route.target is REPLICA or request.code == c.COM_STMT_RESET


def may_read_again(request: Request, forwarded: bool, movable: bool) -> bool:
    """Whether a request that the primary had, and whose connection is gone, can run once more.

    Only once: whoever killed the connection wanted the statement to end, and a read can be what ends a server.
    """
    return movable and not forwarded and not request.lost and _changes_nothing(request)


def _changes_nothing(request: Request) -> bool:
    """Whether it changes nothing that outlives its connection."""
    return not request.streamed and (request.route.target is REPLICA or request.code in _ABOUT_STATEMENTS)


def may_start_over(request: Request, movable: bool) -> bool:
    """Whether a request can begin again whose connection to the primary was lost before it was sent."""
    return movable and request.repeats <= MOST_REPEATS


def next_sequence(exchange: Exchange | None, forwarded: bool) -> int:
    """The number of the next packet to the client; 0 in the middle of a packet, where none can begin."""
    if not forwarded or exchange is None:
        return 1
    return exchange.sequence + 1 if exchange.boundary else 0
