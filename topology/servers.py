"""The servers of a deployment and what was last seen of them: frozen values without any I/O."""

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from topology.addresses import endpoint
from topology.errors import ConfigError
from topology.shares import turns

DEFAULT_PORT = 3306
_SCHEMA_PATH = re.compile(r"/?[\w$-]*")


class Role(StrEnum):
    """What a server is meant to be; whether it is fit for that is judged in `topology.health`."""

    PRIMARY = "primary"
    REPLICA = "replica"


class Vendor(StrEnum):
    """Which family of servers; the two differ in replication statements and account tables."""

    MARIADB = "mariadb"
    MYSQL = "mysql"


class ServerTls(StrEnum):
    """Whether a server is spoken to in TLS; named as the vendors' clients name it."""

    OFF = "off"
    PREFERRED = "preferred"  # if the server offers it
    REQUIRED = "required"  # but the server may be anybody
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"  # the host's name too


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """How to speak TLS with a server. The files are PEM; without `ca` the system's CAs are trusted."""

    mode: ServerTls = ServerTls.OFF
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def required(self) -> bool:
        """Whether a server without TLS may not be spoken to."""
        return self.mode not in (ServerTls.OFF, ServerTls.PREFERRED)


class ProxyProtocol(StrEnum):
    """Which version of the PROXY protocol tells a server where a client comes from."""

    OFF = "off"
    V1 = "v1"
    V2 = "v2"


class ServerCompression(StrEnum):
    """How connections to a server are compressed, if it offers that."""

    OFF = "off"
    ZLIB = "zlib"
    ZSTD = "zstd"  # MySQL only


@dataclass(frozen=True, slots=True)
class Server:
    """One database server: its name, where it listens, the service account to look after it, how to speak with it.

    `role` is the one that it has now. When that changes, or when another server answers at the address, the monitor
    publishes another object: connections know by theirs what they lead to.
    """

    name: str
    host: str
    port: int
    role: Role
    user: str = "root"
    password: str = field(default="", repr=False)
    tls: TlsPolicy = field(default=TlsPolicy(), repr=False)
    proxy_protocol: ProxyProtocol = field(default=ProxyProtocol.OFF, repr=False)
    compression: ServerCompression = field(default=ServerCompression.OFF, repr=False)

    @property
    def address(self) -> str:
        """`host:port`, the identity of a server: several services may share a host."""
        return endpoint(self.host, self.port)

    def named(self, name: str) -> "Server":
        """The same under another name."""
        return self if name == self.name else replace(self, name=name)

    def __str__(self) -> str:
        return f"{self.name} ({self.address})"


def server_from_url(url: str, name: str, role: Role) -> Server:
    """Read `mysql://user:password@host:port`; user and password may be percent-encoded, the port defaults to 3306.

    Raises ConfigError naming the part that is missing; the message never holds the URL, which carries a password.
    """
    malformed = ConfigError(
        f"the URL of {name} is malformed", "write mysql://user:password@host:port, special characters as %XX"
    )
    try:
        parts = urlsplit(url)
        port = DEFAULT_PORT if parts.port is None else parts.port
    except ValueError:
        raise malformed from None
    if not port or parts.query or parts.fragment or not _SCHEMA_PATH.fullmatch(parts.path):
        # A `/`, `?` or `#` in a password that is not encoded ends the host's part, and the user would be the host.
        raise malformed
    if parts.scheme not in ("mysql", "mariadb"):
        raise ConfigError(
            f"the URL of {name} begins with {parts.scheme or 'no scheme'!r}",
            "write mysql://user:password@host:port",
        )
    if not parts.hostname:
        raise ConfigError(f"the URL of {name} names no host", "write mysql://user:password@host:port")
    return Server(
        name=name,
        host=parts.hostname,
        port=port,
        role=role,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
    )


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """What a replica says of its replication. `source` identifies the server it follows, as `Observation.identity`.

    It is empty as long as the replica has not reached it; `address` is its host:port as the replica has it.
    `connecting` tells that the receiver tries to reach it. `lag_seconds` is the server's own figure. `executed` is
    how far MySQL's is in its source's log (`topology.binlogs`).
    """

    source: str
    io_running: bool
    sql_running: bool
    lag_seconds: float | None
    error: str = ""
    connecting: bool = False
    address: str = ""
    executed: str = ""


class Trouble(StrEnum):
    """Why a member of a Galera cluster or of a Group Replication group may not be used."""

    RECOVERING = "recovering"  # gets what it lacks from the others
    DONOR = "donor"  # gives it to another one, and may fall behind meanwhile
    NO_QUORUM = "no quorum"  # is cut off from most of the others
    OFFLINE = "offline"  # is set up as a member, but takes no part
    ERROR = "error"  # has left because of an error, or does not know its state


@dataclass(frozen=True, slots=True)
class Member:
    """A server's place in its cluster or group: `group` is the same for all in it, `state` what the server calls it."""

    group: str
    state: str
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one probe of one server saw. `error` is empty for a probe that was answered; the rest holds only then.

    `version` and `collation_id` are those of the server's greeting. `identity` is the server_uuid (MySQL) or server_id
    (MariaDB). `replica` is None for a server that follows nobody, `member` for one that is in no cluster or group.
    `max_connections` and `wait_timeout` (seconds) are its settings, `init_connect` tells whether it runs statements of
    its own at the beginning of connections.

    `denied` tells that the error is about the login. `logged` is the GTID position that others have to reach if this is
    their primary (MySQL's without GTIDs is that of `topology.binlogs`), `applied` the one up to which it has applied
    what its source logged. `history` are all transactions that it has in its binary log, as `topology.gtid.errant`
    takes them. The last two are empty where there are no GTIDs. The asking lasted from `began` to `ended`, in seconds
    of one clock.
    """

    error: str = ""
    denied: bool = False
    vendor: Vendor | None = None
    version: str = ""
    collation_id: int = 0
    sql_mode: str = ""
    identity: str = ""
    read_only: bool = False
    replica: ReplicaStatus | None = None
    member: Member | None = None
    max_connections: int = 0
    wait_timeout: float = 0.0
    init_connect: bool = False
    isolation: str = ""
    logged: str = ""
    applied: str = ""
    history: str = ""
    began: float = 0.0
    ended: float = 0.0


class Health(StrEnum):
    """Whether a server may be used: only a `HEALTHY` one gets statements."""

    UNKNOWN = "unknown"  # not probed yet
    HEALTHY = "healthy"
    LAGGING = "lagging"  # further behind than allowed
    CATCHING_UP = "catching-up"  # was, and gets nearer
    BROKEN = "broken"  # answers, but does not replicate
    DRAINING = "draining"  # fit, but taken out of use by an operator
    FOREIGN = "foreign"  # does not follow our primary
    AHEAD = "ahead"  # has transactions that the primary lacks
    DOWN = "down"  # does not answer, or lets nobody in


class Circuit(StrEnum):
    """What the circuit breaker of a server lets through (`topology.breaker`)."""

    CLOSED = "closed"  # everything
    HALF_OPEN = "half-open"  # the least share of the reads, for a trial
    OPEN = "open"  # nothing


@dataclass(frozen=True, slots=True)
class ServerState:
    """The verdict on one server, with the reason that an operator reads, and the observation behind it.

    A healthy server's reason is what is odd about it all the same. `lag` is in seconds, None if unknown; `late` tells
    that it is more than is preferred. `share` is what it gets of the reads, compared with the others, `weight` what
    a replica is set to get of them; `circuit` is what its breaks in use leave of that.
    """

    server: Server
    health: Health
    reason: str = ""
    observation: Observation | None = None
    lag: float | None = None
    late: bool = False
    share: int = 1
    weight: int = 0
    circuit: Circuit = Circuit.CLOSED

    @property
    def usable(self) -> bool:
        return self.health is Health.HEALTHY


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All verdicts at one moment, and what follows for reads, so that routing one costs no filtering.

    `turns` are the replicas for reads, each as often as its share says; `late_turns` those that are only used if none
    of the others will do. `readers` are all of them, once.

    `doubt` is why nothing new should be begun on the primary for now, empty when it should be; `split` says which
    servers accept writes where only one may, and `rivals` are their names, also where one of them was said to win.
    """

    primary: ServerState
    replicas: tuple[ServerState, ...]
    doubt: str = ""
    split: str = ""
    rivals: tuple[str, ...] = ()
    readers: tuple[Server, ...] = field(init=False)
    turns: tuple[Server, ...] = field(init=False)
    late_turns: tuple[Server, ...] = field(init=False)

    def __post_init__(self) -> None:
        usable = [state for state in self.replicas if state.usable]
        object.__setattr__(self, "readers", tuple(state.server for state in usable))
        for name, late in (("turns", False), ("late_turns", True)):
            states = [state for state in usable if state.late is late]
            order = turns(tuple(state.share for state in states))
            object.__setattr__(self, name, tuple(states[place].server for place in order))

    def observation_of(self, server: Server) -> Observation | None:
        """What was last seen of a server."""
        return next((state.observation for state in self.states() if state.server.name == server.name), None)

    def states(self) -> tuple[ServerState, ...]:
        return (self.primary, *self.replicas)
