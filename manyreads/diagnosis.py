"""What is wrong with a deployment, by what its servers answered, and what mends it. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from manyreads.examination import Examined
from topology.addresses import is_loopback
from topology.config import Settings
from topology.gtid import errant
from topology.servers import Health, Role, ServerTls, Vendor

# Lag is measured in whole seconds by comparing clocks.
_CLOCK_SECONDS: Final = 1.0
# So long before its end a certificate is to be replaced.
_CERTIFICATE_DAYS: Final = 30
# Methods that no proxy can pass on: the password never leaves the client, or the client never had one.
_UNSERVED: Final = frozenset(
    "unix_socket auth_socket auth_pam authentication_pam authentication_ldap_sasl authentication_ldap_sasl_client "
    "authentication_kerberos authentication_webauthn authentication_windows auth_gssapi_server gssapi pam".split()
)
_ALIKE: Final = {
    "lower_case_table_names": "names of tables are told apart differently",
    "sql_mode": "statements mean something else there",
    "character_set_server": "new schemas get another character set",
    "collation_server": "new schemas sort differently",
}
_RESYNC: Final = "manyreads replication resync copies the replica anew"
# For transactions without data in them. Next time SET SESSION sql_log_bin = 0 keeps such statements to one server.
_HARMLESS: Final = {
    Vendor.MYSQL: "If not, commit empty ones of the same name on the primary, for each: SET gtid_next = '{gtids}'; "
    "BEGIN; COMMIT; SET gtid_next = 'AUTOMATIC'",
    Vendor.MARIADB: "If not, forget them on the replica: STOP SLAVE, RESET MASTER, START SLAVE",
}
# What helps when a server lets nobody in.
_LOGIN: Final = {
    Role.PRIMARY: "check user and password of its URL",
    Role.REPLICA: "check user and password of its URL; a server that is still blank gets the primary's accounts and "
    "data by manyreads replication startsync",
}
_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)")


class Level(StrEnum):
    """How bad it is: an error keeps the deployment from doing what it should."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of one server (empty: of all), and what mends it unless it is well."""

    server: str
    check: str
    level: Level
    text: str
    remedy: str = ""


Findings = Iterator[Finding]


def diagnosed(found: Iterable[Examined], settings: Settings, untold: str = "") -> list[Finding]:
    """All findings, those of each server together, the primary's first.

    `untold` says why the primary did not tell its replicas; empty if it did, or was not asked.
    """
    all_ = list(found)
    primary, *replicas = all_
    findings = [finding for one in all_ for finding in _of_server(one, settings)]
    for replica in replicas:
        if not replica.error:
            findings += _of_replica(replica, primary, settings)
    findings += _of_all([one for one in all_ if not one.error], replicas, untold)
    return findings


def _finding(one: Examined, check: str, wrong: Level | None, text: str, remedy: str = "") -> Finding:
    return Finding(one.server.name, check, wrong or Level.OK, text, remedy if wrong else "")


def _of_server(one: Examined, settings: Settings) -> Findings:
    if one.error:
        yield _finding(one, "login", Level.ERROR, one.error, one.remedy or _LOGIN[one.server.role])
        return
    yield _finding(one, "login", None, f"{one.version} lets {one.server.user} in")
    for check in (_clock, _gtid, _privileges):
        yield from check(one)
    yield from _tls(one, settings)
    yield from _connections(one, settings)
    if one.server.role is Role.PRIMARY:
        yield from _of_primary(one)


def _clock(one: Examined) -> Findings:
    apart = abs(one.ahead)
    wrong = Level.WARNING if apart - one.doubt > _CLOCK_SECONDS else None
    text = f"its clock is {apart:.1f} s {'before' if one.ahead > 0 else 'behind'} this machine's"
    yield _finding(one, "clock", wrong, text if wrong else "its clock is right", "run an NTP client on both machines")


def _gtid(one: Examined) -> Findings:
    mode = one.variables.get("gtid_mode", "")
    if one.variables.get("log_bin") != "ON" and one.server.role is Role.PRIMARY:
        yield _finding(one, "gtid", Level.ERROR, "it keeps no binary log", "set log_bin, and restart it")
    elif one.vendor is Vendor.MYSQL and mode != "ON":
        remedy = "SET GLOBAL enforce_gtid_consistency = ON, then gtid_mode step by step to ON"
        text = f"gtid_mode is {mode}: replicas are found to be fresh later, and the replication kit needs GTIDs"
        yield _finding(one, "gtid", Level.WARNING, text, remedy)
    elif one.vendor is Vendor.MARIADB and one.variables.get("gtid_strict_mode") != "ON":
        text = "gtid_strict_mode is off: writes on a replica by mistake would go unnoticed"
        yield _finding(one, "gtid", Level.WARNING, text, "SET GLOBAL gtid_strict_mode = ON")
    else:
        yield _finding(one, "gtid", None, "positions are GTIDs")


def _privileges(one: Examined) -> Findings:
    user, _, host = (one.account or one.server.user).rpartition("@")
    grantee = f"'{user}'@'{host}'" if user else f"'{host}'"
    missing = list(_missing(one))
    for level, text, privilege in missing:
        yield _finding(one, "privileges", level, text, f"GRANT {privilege} TO {grantee}")
    if not missing:
        yield _finding(one, "privileges", None, f"{one.server.user} may see what it has to")


def _missing(one: Examined) -> Iterator[tuple[Level, str, str]]:
    """What the service account may not do: how bad that is, in words, and what it lacks."""
    primary = one.server.role is Role.PRIMARY
    if primary and not one.sees_accounts:
        table = "mysql.global_priv" if one.vendor is Vendor.MARIADB else "mysql.user"
        text = f"{one.server.user} may not read {table}: no client can log in but those of the setting accounts"
        yield Level.ERROR, text, f"SELECT ON {table}"
    replication = "SLAVE MONITOR ON *.*" if one.vendor is Vendor.MARIADB else "REPLICATION CLIENT ON *.*"
    if one.observation is not None and one.observation.error:
        yield Level.ERROR, one.observation.error, replication
    elif not one.sees_replication:
        text = "it may not see whom this server follows: a change of its role goes unnoticed"
        yield Level.WARNING, text, replication
    if primary and not one.sees_triggers:
        text = "it may not see triggers: each write counts for all tables, and more reads wait"
        yield Level.WARNING, text, "TRIGGER ON *.*"


def _tls(one: Examined, settings: Settings) -> Findings:
    days = one.certificate_days
    if one.cipher and days is not None and days < _CERTIFICATE_DAYS:
        text = f"its certificate is good for {days:.0f} more days" if days > 0 else "its certificate is no longer good"
        reload = "FLUSH SSL" if one.vendor is Vendor.MARIADB else "ALTER INSTANCE RELOAD TLS"
        yield _finding(one, "tls", Level.WARNING, text, f"put a new one in the place of ssl_cert, and run {reload}")
    elif one.cipher:
        yield _finding(one, "tls", None, f"spoken to in TLS ({one.cipher})")
    elif settings.server_tls is ServerTls.OFF or is_loopback(one.server.host):
        yield _finding(one, "tls", None, "spoken to without TLS, as it is set or on this machine")
    else:
        text = "it offers no TLS: passwords and data cross the network as they are"
        yield _finding(one, "tls", Level.WARNING, text, "give it a certificate (ssl_cert, ssl_key)")


def _connections(one: Examined, settings: Settings) -> Findings:
    most, of_user = (int(one.variables.get(name, 0)) for name in ("max_connections", "max_user_connections"))
    if settings.connection_sharing == "session":
        name = name_of_user = "max_connections"
    else:
        name, name_of_user = "server_connections", "server_connections_per_user"
    wanted, wanted_of_user = getattr(settings, name), getattr(settings, name_of_user)
    wrong = Level.WARNING if wanted > most else None
    text = f"{name} = {wanted}, and it takes {most}" if wrong else f"it takes {most} connections"
    yield _finding(one, "connections", wrong, text, f"SET GLOBAL max_connections = {wanted}, or lower {name}")
    if of_user and wanted_of_user > of_user:
        text = f"{name_of_user} = {wanted_of_user}, and it takes {of_user} of one user"
        remedy = f"SET GLOBAL max_user_connections = {wanted_of_user}, or lower {name_of_user}"
        yield _finding(one, "connections", Level.WARNING, text, remedy)


def _of_primary(one: Examined) -> Findings:
    read_only = one.variables.get("read_only") == "ON"
    text = "it is read_only: writes fail" if read_only else "it takes writes"
    remedy = "SET GLOBAL read_only = OFF, if it is the primary"
    yield _finding(one, "read_only", Level.ERROR if read_only else None, text, remedy)
    if one.by_gtid is not None:
        yield _finding(one, "replication", Level.WARNING, "it follows another server", "name that one as the primary")
    unserved = sorted(f"{each.user}@{each.host} ({each.plugin})" for each in one.accounts if each.plugin in _UNSERVED)
    if unserved:
        text = f"cannot log in through the proxy: {', '.join(unserved[:10])}{' ...' if len(unserved) > 10 else ''}"
        remedy = "give accounts of applications a method with a password; docs/operating.md names them"
        yield _finding(one, "accounts", Level.WARNING, text, remedy)
    elif one.sees_accounts:
        yield _finding(one, "accounts", None, "all accounts can log in through the proxy")


def _of_replica(one: Examined, primary: Examined, settings: Settings) -> Findings:
    yield _replication(one, primary, settings.max_lag)
    if one.by_gtid is False:
        remedy = "CHANGE MASTER TO MASTER_USE_GTID = slave_pos"
        if one.vendor is Vendor.MYSQL:
            remedy = "CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION = 1"
        yield _finding(one, "gtid", Level.WARNING, "it does not follow by GTID", remedy)
    read_only = one.variables.get("read_only") == "ON"
    text = "nobody writes here by mistake" if read_only else "it is not read_only: whoever connects to it can write"
    yield _finding(one, "read_only", None if read_only else Level.WARNING, text, "SET GLOBAL read_only = ON")
    if not primary.error:
        yield from _errant(one, primary)
        yield from _alike(one, primary)
        yield _versions(one, primary)


def _replication(one: Examined, primary: Examined, max_lag: float) -> Finding:
    seen = one.observation.replica if one.observation is not None else None
    set_up = "manyreads replication startsync sets it up"
    if seen is None:
        return _finding(one, "replication", Level.ERROR, "it follows nobody", set_up)
    if not seen.io_running or not seen.sql_running:
        thread = "applier" if seen.io_running else "receiver"
        text = f"the replication {thread} does not run: {seen.error or 'no error given'}"
        stopped = "manyreads replication startsync starts it again"
        failed = "manyreads replication status tells what helps"
        return _finding(one, "replication", Level.ERROR, text, failed if seen.error else stopped)
    source = primary.observation.identity if primary.observation is not None else ""
    if source and seen.source != source:
        return _finding(one, "replication", Level.ERROR, "it follows another server than the primary", set_up)
    if seen.lag_seconds is None or seen.lag_seconds > max_lag:
        behind = "does not know how far it is" if seen.lag_seconds is None else f"is {seen.lag_seconds:g} s"
        remedy = "wait, or look what its applier does: SHOW PROCESSLIST there"
        return _finding(one, "replication", Level.WARNING, f"it {behind} behind: no reads go there", remedy)
    return _finding(one, "replication", None, f"{Health.HEALTHY}, {seen.lag_seconds:g} s behind")


def _errant(one: Examined, primary: Examined) -> Findings:
    """Transactions that were made on a replica: CREATE USER, ANALYZE TABLE and FLUSH are some, too, unless kept out."""
    if one.observation is None or primary.observation is None:
        return
    theirs = f"{primary.observation.history},{primary.observation.applied}"
    found = errant(one.vendor, one.observation.history, theirs, one.observation.identity)
    if not found:
        yield _finding(one, "errant", None, "it has no transaction that the primary lacks")
        return
    text = (
        f"it has transactions that the primary lacks ({found}), so it gets no reads unless errant_transactions is "
        "accept: somebody wrote there, or ran CREATE USER, GRANT, ANALYZE TABLE, OPTIMIZE TABLE or FLUSH there"
    )
    mend = f"look in its binary log what they are (SHOW BINLOG EVENTS); if they changed data: {_RESYNC}. "
    mend += _HARMLESS[one.vendor].format(gtids=found)
    yield _finding(one, "errant", Level.WARNING, text, mend)


def _alike(one: Examined, primary: Examined) -> Findings:
    for name, why in _ALIKE.items():
        own, theirs = one.variables.get(name, ""), primary.variables.get(name, "")
        if own != theirs:
            text = f"{name} is {own or 'empty'}, on the primary {theirs or 'empty'}: {why}"
            yield _finding(one, "settings", Level.WARNING, text, f"give both the same {name}")
    if int(one.variables.get("max_allowed_packet", 0)) < int(primary.variables.get("max_allowed_packet", 0)):
        text = "its max_allowed_packet is smaller than the primary's: large rows stop replication"
        yield _finding(one, "settings", Level.WARNING, text, "SET GLOBAL max_allowed_packet as on the primary")


def _versions(one: Examined, primary: Examined) -> Finding:
    if one.vendor is not primary.vendor:
        text = f"{one.vendor} follows {primary.vendor}"
        return _finding(one, "version", Level.ERROR, text, "take servers of one vendor")
    older = _numbers(one.version) < _numbers(primary.version)
    text = f"{one.version}, the primary has {primary.version}"
    remedy = "upgrade replicas before their primary"
    return _finding(one, "version", Level.WARNING if older else None, text, remedy)


def _numbers(version: str) -> tuple[int, int]:
    """Major and minor; MariaDB's greeting may begin with 5.5.5-."""
    match = _NUMBERS.match(version.removeprefix("5.5.5-"))
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _of_all(answered: list[Examined], replicas: list[Examined], untold: str) -> Findings:
    if untold:
        remedy = "name them as readers, or let the account ask: docs/operating.md, The service account"
        yield Finding("", "servers", Level.WARNING, f"the primary does not tell its replicas: {untold}", remedy)
    elif not replicas:
        yield Finding("", "servers", Level.WARNING, "there are no replicas", "name them as readers")
    for name in ("server_id", "server_uuid"):
        values = [one.variables[name] for one in answered if name in one.variables]
        if len(set(values)) < len(values):
            remedy = f"give each a {name} of its own, and restart it"
            yield Finding("", "servers", Level.ERROR, f"several servers have the same {name}", remedy)
