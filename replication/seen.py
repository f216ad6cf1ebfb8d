"""What one look at a primary and its replicas saw: frozen values without any I/O."""

from dataclasses import dataclass, field

from replication.facts import Channel, Marker
from topology.servers import Server, Vendor


@dataclass(frozen=True, slots=True)
class PrimarySeen:
    """The primary at one look. `error` is empty when it answered; the rest holds only then.

    `gtid_before` was read before the replicas were looked at, `gtid` after: what a replica lacks of the first it is
    behind by, and what it has beyond the second did not come from this primary. `source_id` is what replicas call it:
    its server_uuid (MySQL) or server_id (MariaDB). `seen_at` is where replicas reach it. `setting_up` tells that some
    run is setting replicas up now. `channels` are the sources of a primary that follows others itself. `clock` is its
    time, and `beat` the one that its heartbeat holds, None without one; both in seconds since 1970.
    """

    server: Server
    error: str = ""
    vendor: Vendor = Vendor.MYSQL
    version: str = ""
    identity: str = ""
    source_id: str = ""
    seen_at: tuple[str, int] = ("", 0)
    gtid_before: str = ""
    gtid: str = ""
    setting_up: bool = False
    channels: tuple[Channel, ...] = ()
    clock: float = 0.0
    beat: float | None = None


@dataclass(frozen=True, slots=True)
class ReplicaSeen:
    """One replica at one look. `error` is empty when it answered; the rest holds only then.

    `passing` tells of an error that goes away by itself, as while a server starts. `has_data` is asked of servers
    that follow nobody only. `source_id` is what a server that follows it calls it. `seconds_behind` is the server's own
    figure, which is None or wrong while it is cut off. `beat` is the time of the primary's last heartbeat that arrived.
    """

    server: Server
    error: str = ""
    remedy: str = ""
    passing: bool = False
    vendor: Vendor = Vendor.MYSQL
    version: str = ""
    server_id: int = 0
    source_id: str = ""
    gtid: str = ""
    channels: tuple[Channel, ...] = ()
    marker: Marker | None = None
    has_data: bool = False
    seconds_behind: float | None = None
    beat: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at everything, the replicas in the order in which they were named."""

    primary: PrimarySeen
    replicas: tuple[ReplicaSeen, ...] = field(default=())
