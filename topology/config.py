"""The settings of the proxy: the one definition of their names, values, defaults and descriptions.

Every key has one name everywhere: `probe_interval` in the file is MANYREADS_PROBE_INTERVAL in the environment and
--probe-interval on the command line. `topology.settings` reads these sources.
"""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from topology.addresses import host_and_port, is_loopback
from topology.consistency import Level
from topology.environment import Deployment, Environment, deployment, refuse_shared_addresses
from topology.errors import ConfigError
from topology.servers import ProxyProtocol, Role, Server, ServerCompression, ServerTls, TlsPolicy, server_from_url
from topology.values import (
    FunctionName,
    ListenAddress,
    Network,
    Seconds,
    Timeout,
    TracesUrl,
    Weight,
    algorithms,
    listed,
    secret_of,
    server_url,
    spaced,
    tables,
)


class ConfiguredAccount(BaseModel):
    """An account that the proxy knows by itself, instead of reading the primary's account table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str
    password: SecretStr
    password_file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, values: object) -> object:
        if not isinstance(values, dict) or "password_file" not in values:
            return values
        if "password" in values:
            raise ValueError("password and password_file are both set; give one of them")
        return {**values, "password": secret_of(Path(values["password_file"]))}


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    return value


Duration = Annotated[str, StringConstraints(pattern=r"^\d{1,9}(\.\d{1,3})?(ms|s|m)$")]


class ConfiguredRule(BaseModel):
    """Which reads (by user, default schema, digest id, pattern over the digest's text) go elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str | None = None
    schema_: str | None = Field(None, alias="schema")
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None = None
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_pattern)] | None = None
    target: Literal["primary", "replica"] | None = None
    replica: Annotated[str, StringConstraints(min_length=1)] | None = None
    consistency: Level | None = None
    max_lag: Duration | None = None
    statement_timeout: Duration | None = None

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        wishes = (self.replica, self.consistency, self.max_lag)
        if self.target is None and wishes == (None, None, None) and self.statement_timeout is None:
            raise ValueError("a rule needs a target, replica, consistency, max_lag or statement_timeout")
        if self.target == "primary" and wishes != (None, None, None):
            raise ValueError("a rule with target = 'primary' takes no replica, consistency or max_lag")
        return self


class Settings(BaseModel):
    """What an operator can set. Times are in seconds, sizes in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: ListenAddress = Field("127.0.0.1:6033", description="host:port on which clients are served")
    workers: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="processes that serve the clients; auto for one per CPU"
    )
    http_token: Annotated[SecretStr, Field(min_length=16)] | None = Field(
        None, description="token that HTTP clients have to show, but for health"
    )
    http_token_file: Path | None = Field(None, description="file that holds it")
    http_tls: bool = Field(False, description="HTTPS in place of HTTP, with the certificate for clients")
    http: ListenAddress | None = Field(
        None, description="host:port for metrics and health over HTTP; none unless given"
    )
    environment: Path | None = Field(None, description="environment.json that names the servers, without a writer")
    writer: Annotated[SecretStr, AfterValidator(server_url)] | None = Field(
        None, description="URL of the primary: mysql://user:password@host:port"
    )
    writer_file: Path | None = Field(None, description="file that holds the URL of the primary")
    readers: Annotated[tuple[Annotated[SecretStr, AfterValidator(server_url)], ...], BeforeValidator(spaced)] = Field(
        (), description="URLs of the replicas"
    )
    readers_file: Path | None = Field(None, description="file that holds the URLs of the replicas")
    find_replicas: bool = Field(True, description="ask the primary for its replicas where none are named")
    server_password: SecretStr | None = Field(None, description="password for the URLs that have none")
    server_password_file: Path | None = Field(None, description="file that holds it")
    accounts: Annotated[tuple[ConfiguredAccount, ...], BeforeValidator(tables)] = Field(
        (), description="accounts kept here instead of on the primary"
    )
    admin_users: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        (), description="users that may see all sessions and digests without the PROCESS privilege"
    )
    rules: Annotated[tuple[ConfiguredRule, ...], BeforeValidator(tables)] = Field(
        (), description="which reads go elsewhere than they would"
    )
    probe_interval: Seconds = Field(1.0, description="pause between two probes of a server")
    probe_timeout: Seconds = Field(2.0, description="a probe without an answer after this has failed")
    max_lag: Seconds = Field(10.0, description="a replica further behind gets no reads")
    errant_transactions: Literal["exclude", "accept"] = Field(
        "exclude", description="what becomes of a replica with transactions that the primary lacks"
    )
    preferred_lag: Seconds | None = Field(
        None, description="a replica further behind gets reads only if no other is fit; none unless given"
    )
    balance: Literal["round-robin", "least-outstanding", "latency"] = Field(
        "round-robin", description="which of the fit replicas serves a read"
    )
    weights: Annotated[tuple[Weight, ...], BeforeValidator(listed)] = Field(
        (), description="what replicas get of the reads: NAME=WEIGHT, 1 to 100; 1 for all others"
    )
    slow_start: float = Field(
        5.0, ge=0, le=3600, description="so long the share of a replica grows that has come back; 0 for all at once"
    )
    primary_reads: Literal["fallback", "never"] = Field(
        "fallback", description="whether the primary serves plain reads that no replica is fit for"
    )
    consistency: Level = Field(Level.GLOBAL, description="which writes a read sees")
    freshness_wait: float = Field(
        0.01, ge=0, le=10, description="so long a read waits for a replica that has these, before the primary serves it"
    )
    read_functions: Annotated[tuple[FunctionName, ...], BeforeValidator(listed)] = Field(
        (), description="stored and loadable functions that only read, so that reads that call them leave the primary"
    )
    trust_sql_data_access: bool = Field(
        False, description="stored functions that are declared NO SQL or READS SQL DATA count as read_functions"
    )
    transaction_reads: Literal["primary", "optimistic"] = Field(
        "primary", description="where a transaction that may write reads as long as it has not written"
    )
    transaction_replay: bool = Field(False, description="run transactions again that were lost with the primary")
    transaction_replay_users: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        (), description="users for whom that is on where it is off for all"
    )
    transaction_replay_limit: int = Field(
        1 << 20, ge=0, description="bytes of its statements that are kept for that; a larger one is lost"
    )
    connect_timeout: Seconds = Field(5.0, description="time for connecting and logging in at a server")
    primary_wait: float = Field(
        10.0, ge=0, le=3600, description="so long statements and logins wait for a primary that is away"
    )
    on_two_primaries: Literal["refuse", "configured"] = Field(
        "refuse", description="where two servers accept writes: whether none gets any, or the configured writer does"
    )
    login_timeout: Seconds = Field(10.0, description="time a client has to log in")
    connection_sharing: Literal["shared", "session"] = Field(
        "shared", description="whether sessions share server connections, or each has its own"
    )
    server_connections: int = Field(
        0, ge=0, description="connections to one server; 0 for nine tenths of what it takes"
    )
    server_connections_per_user: int = Field(0, ge=0, description="of which for one user; 0 for all")
    spare_connections: int = Field(0, ge=0, description="free server connections of a user that are kept ready")
    server_connection_idle: Seconds = Field(60.0, description="time after which other free ones are closed")
    server_connection_lifetime: Seconds = Field(3600.0, description="age at which a server connection is replaced")
    server_connection_wait: Seconds = Field(10.0, description="time that a session waits for a server connection")
    server_connection_queue: int = Field(
        0, ge=0, description="sessions that may wait for connections to one server; 0 for all"
    )
    takeover: Path | None = Field(None, description="unix socket at which the next process takes the ports over")
    drain_timeout: Seconds = Field(30.0, description="time that running statements get when the proxy stops")
    statement_timeout: float = Field(0.0, ge=0, le=86400, description="so long a statement may run; 0 for no end")
    user_statement_timeouts: Annotated[tuple[Timeout, ...], BeforeValidator(listed)] = Field(
        (), description="the same for single users: NAME=SECONDS"
    )
    kill_on_disconnect: bool = Field(True, description="kill a statement whose client is gone")
    max_connections: int = Field(10_000, gt=0, description="clients at the same time")
    statements_per_connection: int = Field(100, gt=0, description="prepared statements kept by each server connection")
    long_data_limit: int = Field(1 << 20, ge=0, description="bytes of long data held for a prepared statement")
    memory_limit: int = Field(
        512 << 20, ge=0, description="bytes held for clients and servers before more is refused; 0 for no limit"
    )
    max_connections_per_address: int = Field(0, ge=0, description="of which from one client address; 0 for all")
    allowed_networks: Annotated[tuple[Network, ...], BeforeValidator(listed)] = Field(
        (), description="networks that clients may come from; all unless given"
    )
    allowed_users: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        (), description="users that may log in; all unless given"
    )
    failed_logins: int = Field(
        0, ge=0, description="wrong passwords of a user from one address, after which both have to wait; 0 for all"
    )
    digest_cache_size: int = Field(10_000, gt=0, description="statement digests remembered")
    tls: Literal["off", "preferred", "required"] = Field("preferred", description="TLS towards clients")
    tls_certificate: Path | None = Field(None, description="PEM file with the proxy's certificate and its chain")
    tls_key: Path | None = Field(None, description="PEM file with the key, if the certificate's file does not hold it")
    tls_client_ca: Path | None = Field(None, description="PEM file with the CAs of clients' certificates")
    server_tls: ServerTls = Field(ServerTls.PREFERRED, description="TLS towards servers")
    server_tls_ca: Path | None = Field(None, description="PEM file with the CAs of servers' certificates")
    server_tls_certificate: Path | None = Field(None, description="PEM file with the certificate shown to servers")
    server_tls_key: Path | None = Field(None, description="PEM file with its key, if it is not in the same file")
    compression: Annotated[tuple[Literal["zlib", "zstd"], ...], BeforeValidator(algorithms)] = Field(
        ("zlib", "zstd"), description="compression that clients may ask for"
    )
    server_compression: ServerCompression = Field(
        ServerCompression.OFF, description="compression of clients' connections to servers"
    )
    proxy_protocol_networks: Annotated[tuple[Network, ...], BeforeValidator(listed)] = Field(
        (), description="load balancers that may say where a client comes from"
    )
    server_proxy_protocol: ProxyProtocol = Field(
        ProxyProtocol.OFF, description="whether servers are told where a client comes from"
    )
    state_directory: Path | None = Field(None, description="where the proxy keeps what it has made itself")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least that is logged")
    log_format: Literal["human", "json"] = Field("human", description="lines for people, or a JSON object on each")
    long_query_time: Annotated[float, Field(ge=0, le=86400)] | None = Field(
        None, description="statements that take as long are logged; none unless given"
    )
    log_sample: int = Field(0, ge=0, description="one statement in so many is logged; 0 for none")
    statement_texts: bool = Field(False, description="show texts with their literals beside digests")
    audit_log: bool = Field(False, description="log who comes and goes, who is refused, and what is changed over HTTP")

    tracing: Literal["off", "otlp"] = Field("off", description="spans of statements, for OpenTelemetry collectors")
    # Credentials belong into OTEL_EXPORTER_OTLP_HEADERS, which nobody prints.
    tracing_endpoint: TracesUrl | None = Field(None, description="URL that spans are posted to; else OTEL_* say where")
    tracing_ratio: float = Field(0.0, ge=0, le=1, description="share traced of the statements that are in no trace")

    @field_validator("http")
    @classmethod
    def _is_guarded(cls, address: str | None, info: ValidationInfo) -> str | None:
        unguarded = info.data.get("http_token", address) is None
        if address is not None and unguarded and not is_loopback(host_and_port(address)[0]):
            raise ValueError("can be reached from other machines, for which http_token or http_token_file is needed")
        return address

    @field_validator("tls_key", "server_tls_key")
    @classmethod
    def _has_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        certificate = str(info.field_name).replace("key", "certificate")
        if key is not None and info.data.get(certificate, key) is None:
            raise ValueError(f"belongs to {certificate}, which is not set")
        return key

    @property
    def processes(self) -> int:
        """How many processes serve the clients; with 1 that is the only one."""
        return len(os.sched_getaffinity(0)) if self.workers == "auto" else self.workers

    @property
    def searches(self) -> bool:
        """Whether the primary is to be asked for its replicas."""
        return self.find_replicas and self.writer is not None and not self.readers

    @property
    def server_tls_policy(self) -> TlsPolicy:
        """How servers are spoken to."""
        return TlsPolicy(self.server_tls, self.server_tls_ca, self.server_tls_certificate, self.server_tls_key)

    @property
    def host_and_port(self) -> tuple[str, int]:
        """The listen address in two parts."""
        return host_and_port(self.listen)


def configured_deployment(settings: Settings, environment: Environment) -> Deployment:
    """The servers: from the URLs if there are any, else as dotCloud's environment names them."""
    found = _named_servers(settings, environment)

    def spoken_to(server: Server) -> Server:
        return replace(
            server,
            tls=settings.server_tls_policy,
            proxy_protocol=settings.server_proxy_protocol,
            compression=settings.server_compression,
        )

    return Deployment(spoken_to(found.primary), tuple(map(spoken_to, found.replicas)))


def _named_servers(settings: Settings, environment: Environment) -> Deployment:
    if settings.writer is None and not settings.readers:
        return _with_primary_accounts(deployment(environment))
    if settings.writer is None:
        raise ConfigError("readers are given but no writer", "name the primary with --writer mysql://...")
    primary = _server(settings, settings.writer, "dbwrite", Role.PRIMARY)
    replicas = (
        _server(settings, url, f"dbread{number}", Role.REPLICA) for number, url in enumerate(settings.readers, 1)
    )
    result = Deployment(primary, tuple(replicas))
    refuse_shared_addresses(result)
    return result


def _server(settings: Settings, url: SecretStr, name: str, role: Role) -> Server:
    server = server_from_url(url.get_secret_value(), name, role)
    if server.password or settings.server_password is None:
        return server
    return replace(server, password=settings.server_password.get_secret_value())


def _with_primary_accounts(found: Deployment) -> Deployment:
    # Setting up a replica replaces its accounts by the primary's; environment.json goes on naming the dead ones.
    primary = found.primary
    replicas = (replace(replica, user=primary.user, password=primary.password) for replica in found.replicas)
    return Deployment(primary, tuple(replicas))
