"""One command of a client on its way to a server, and the commands that a connection needs before it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from proxy.routing.forms import Form
from proxy.routing.policy import Route
from proxy.routing.state import Seen
from proxy.session.core.diagnostics import Kept
from proxy.session.core.prepared import Prepared
from proxy.session.core.transactionflags import TransactionFlags
from proxy.session.core.wholereply import WholeReply
from proxy.sql.hints import Hint
from proxy.sql.kill import Kill
from proxy.sql.own import Order, Show, Writes
from proxy.sql.statement import READ, Statement
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.definitions import Definitions
from proxy.wire.exchange import Reply
from topology.servers import Server

_NO_SERVERS: Final[frozenset[str]] = frozenset()
# Of these a large one is not held but passed through to the primary.
STREAMED: Final = frozenset({c.COM_QUERY, c.COM_STMT_SEND_LONG_DATA, *EXECUTIONS})


class Request:
    """One command on its way to a server.

    `plain` marks a read in text, the common case: it leaves nothing behind anywhere and needs no translation. `at` is
    the connection or the server that it must go to, None when its route decides. `named` is the name of the statement,
    prepared as text, that it executes as text. `kill` is what a KILL asks for. `streamed` says that `packet` is only
    its beginning, or that the client may send more while it is answered. `avoid` holds the names of servers that could
    not serve it. `wish` is what a hint, or the rule of number `rule`, says about the replica, `limit` for how
    many seconds a rule lets it run (0: for any). `repeats` counts what was
    tried again on one server, `lost` how often the primary was lost while it ran there. Of a COM_STMT_PREPARE, `made`
    is the statement that it made, and `definitions` are its columns', if the client keeps them. `need` is the number
    (`topology.freshness`) up to which a replica must have everything, `waits` that one is waited for, until the event
    loop's time is `until`, and `waited` that this is over.
    `before` is a text that its connection has to run right before it, and `whole` makes its reply what the connection
    of the statement before would have said; `kept` is what stays known of that statement. `again` are the reads that
    its connection has to run before, for what it asks about them; `errno` is the error that it was answered with itself
    (0: none), as it has to be then. `given_up` is when it stops waiting for a primary that is away, and `served_by`
    when it does so for connections, by the event loop's clock.
    By the performance counter, `begun` is when it came (0 if nobody wanted to know), `sent` when it went to a server,
    and `delayed` when it first had to wait or went to one; `queued` is for how many seconds it waited.
    """

    # Defaults of the class for what few requests are asked for, or change: the others are cheaper to set each time
    # than to look for in vain in the instance.
    repeats: int = 0
    lost: int = 0
    rule: int = 0
    waits: bool = False
    until: float = 0.0
    waited: bool = False
    definitions: Definitions | None = None
    made: Prepared | None = None
    before: bytes = b""
    kept: Kept | None = None
    again: "tuple[Request, ...]" = ()
    errno: int = 0
    given_up: float = 0.0
    served_by: float = 0.0
    sent: float = 0.0

    def __init__(
        self, packet: bytes, statement: Statement, route: Route, reply: Reply, prepared: Prepared | None = None
    ) -> None:
        self.at: Seen | Server | None = None
        self.whole: WholeReply | TransactionFlags | None = None
        self.code = packet[c.HEADER_SIZE]
        self.packet = packet
        self.statement = statement
        self.route = route
        self.reply = reply
        self.prepared = prepared
        self.plain = statement.kind is READ and self.code == c.COM_QUERY
        self.named = ""
        self.kill: Kill | None = None
        self.streamed = False
        self.avoid: frozenset[str] = _NO_SERVERS
        self.wish: Hint | None = None
        self.need: int | None = None
        self.limit = self.delayed = self.queued = self.begun = 0.0


@dataclass(frozen=True, slots=True)
class Ran:
    """A request that can be run again as it is, and the digest (`proxy.wire.rowdigest`) of what it gave."""

    request: Request
    value: tuple[int, ...]

    @property
    def insert_id(self) -> int:
        """What it has made LAST_INSERT_ID(), 0 if it has not."""
        return self.value[3]


@dataclass(frozen=True, slots=True)
class Explained:
    """EXPLAIN ROUTE: what would be the request for the statement, and the statement's digest."""

    request: Request
    digest: str


# What the proxy is asked itself.
Asked: TypeAlias = Show | Order | Explained | Writes


@dataclass(frozen=True, slots=True)
class Prelude:
    """A command that a connection needs before a request; its reply is not for the client.

    `again` marks a read of the client's own, whose reply may be of any size and is of no use, but must be the error
    `errno` if it was that before. Of all others, exactly one of the fields after these says what the connection has
    seen once it succeeded: a reset, a change of the session's state, its insert id, a prepared statement, the schema of
    one that is to be prepared, user variables (their versions), a statement prepared as text (its name and version), or
    the twin of a read-only transaction. It may fail if it is only for the sake of the statement `optional`, or
    `lenient`.
    """

    packet: bytes
    reply: Reply = Reply.RESULT
    again: bool = False
    errno: int = 0
    resets: int = -1
    version: int = -1
    insert_id: int = -1
    form: Form | None = None
    detour: Form | None = None
    variables: Mapping[str, int] | None = None
    named: tuple[str, int] = ("", 0)
    transaction: int = 0
    optional: Form | None = None
    lenient: bool = False
