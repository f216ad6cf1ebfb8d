"""`python -m proxy`: arguments to settings, settings to a running proxy, errors to one line and an exit code."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from proxy.app import run_until_signal
from proxy.explain import explained, explanation
from proxy.session.configured import rules_of
from topology.config import configured_deployment, load_settings
from topology.environment import process_environment, read_environment
from topology.errors import ManyreadsError
from topology.servers import Vendor

USAGE_ERROR = 2

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    environment: Annotated[Path | None, typer.Option(help="environment.json that names the servers.")] = None,
    listen: Annotated[str | None, typer.Option(help="host:port for clients; 127.0.0.1:6033 unless given.")] = None,
    http: Annotated[str | None, typer.Option(help="host:port for /metrics, /healthz and /readyz.")] = None,
    writer: Annotated[str | None, typer.Option(help="The primary: mysql://user:password@host:port.")] = None,
    reader: Annotated[list[str] | None, typer.Option(help="A replica; repeat for each.")] = None,
    probe_interval: Annotated[float | None, typer.Option(help="Seconds between probes of a server.")] = None,
    probe_timeout: Annotated[float | None, typer.Option(help="Seconds after which a probe has failed.")] = None,
    max_lag: Annotated[float | None, typer.Option(help="A replica more seconds behind gets no reads.")] = None,
    consistency: Annotated[
        str | None, typer.Option(help="Which writes a read sees: eventual, session, monotonic, global or strict.")
    ] = None,
    freshness_wait: Annotated[
        float | None, typer.Option(help="Seconds that a read waits for a replica that has these.")
    ] = None,
    connect_timeout: Annotated[float | None, typer.Option(help="Seconds for a login at a server.")] = None,
    primary_wait: Annotated[
        float | None, typer.Option(help="Seconds that statements and logins wait for a primary that is away.")
    ] = None,
    login_timeout: Annotated[float | None, typer.Option(help="Seconds that a client has to log in.")] = None,
    connection_sharing: Annotated[
        str | None, typer.Option(help="shared: sessions share server connections; session: each has its own.")
    ] = None,
    server_connections: Annotated[
        int | None, typer.Option(help="Connections to one server; 0 for nine tenths of what it takes.")
    ] = None,
    server_connections_per_user: Annotated[int | None, typer.Option(help="Of which for one user; 0 for all.")] = None,
    spare_connections: Annotated[int | None, typer.Option(help="Free ones of a user that are kept ready.")] = None,
    server_connection_idle: Annotated[
        float | None, typer.Option(help="Seconds after which other free ones are closed.")
    ] = None,
    server_connection_lifetime: Annotated[
        float | None, typer.Option(help="Seconds after which a server connection is replaced.")
    ] = None,
    server_connection_wait: Annotated[
        float | None, typer.Option(help="Seconds that a session waits for a server connection.")
    ] = None,
    drain_timeout: Annotated[float | None, typer.Option(help="Seconds for running statements at a stop.")] = None,
    kill_on_disconnect: Annotated[
        bool | None, typer.Option(help="Kill a statement on its server when its client is gone [default: yes].")
    ] = None,
    max_connections: Annotated[int | None, typer.Option(help="Clients at the same time.")] = None,
    statements_per_connection: Annotated[
        int | None, typer.Option(help="Prepared statements kept by each server connection.")
    ] = None,
    long_data_limit: Annotated[int | None, typer.Option(help="Bytes of long data held for a statement.")] = None,
    max_connections_per_address: Annotated[int | None, typer.Option(help="Of which from one address.")] = None,
    digest_cache_size: Annotated[int | None, typer.Option(help="Statement digests remembered.")] = None,
    tls: Annotated[str | None, typer.Option(help="TLS towards clients: off, preferred or required.")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="The proxy's certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(help="CAs of clients' certificates, PEM.")] = None,
    server_tls: Annotated[
        str | None, typer.Option(help="TLS to servers: off, preferred, required, verify-ca or verify-full.")
    ] = None,
    server_tls_ca: Annotated[Path | None, typer.Option(help="CAs of servers' certificates, PEM.")] = None,
    server_tls_certificate: Annotated[Path | None, typer.Option(help="A certificate to show to servers.")] = None,
    server_tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    compression: Annotated[str | None, typer.Option(help="What clients may ask for: zlib,zstd or off.")] = None,
    server_compression: Annotated[str | None, typer.Option(help="Compression to servers: off, zlib or zstd.")] = None,
    proxy_protocol_networks: Annotated[
        str | None, typer.Option(help="Load balancers that send PROXY headers: networks, separated by commas.")
    ] = None,
    server_proxy_protocol: Annotated[
        str | None, typer.Option(help="PROXY headers sent to servers: off, v1 or v2.")
    ] = None,
    state_directory: Annotated[Path | None, typer.Option(help="Where a self-made certificate is kept.")] = None,
    admin_users: Annotated[str | None, typer.Option(help="Users that SHOW PROXY shows all, without PROCESS.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """One DSN for a MySQL or MariaDB primary and its replicas: writes to the one, reads to the others."""
    if context.invoked_subcommand is not None:
        return
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    flags = {
        "listen": listen,
        "http": http,
        "writer": writer,
        "readers": tuple(reader) if reader else None,
        "probe_interval": probe_interval,
        "probe_timeout": probe_timeout,
        "max_lag": max_lag,
        "consistency": consistency,
        "freshness_wait": freshness_wait,
        "connect_timeout": connect_timeout,
        "primary_wait": primary_wait,
        "login_timeout": login_timeout,
        "connection_sharing": connection_sharing,
        "server_connections": server_connections,
        "server_connections_per_user": server_connections_per_user,
        "spare_connections": spare_connections,
        "server_connection_idle": server_connection_idle,
        "server_connection_lifetime": server_connection_lifetime,
        "server_connection_wait": server_connection_wait,
        "drain_timeout": drain_timeout,
        "kill_on_disconnect": kill_on_disconnect,
        "max_connections": max_connections,
        "statements_per_connection": statements_per_connection,
        "long_data_limit": long_data_limit,
        "max_connections_per_address": max_connections_per_address,
        "digest_cache_size": digest_cache_size,
        "tls": tls,
        "tls_certificate": tls_certificate,
        "tls_key": tls_key,
        "tls_client_ca": tls_client_ca,
        "server_tls": server_tls,
        "server_tls_ca": server_tls_ca,
        "server_tls_certificate": server_tls_certificate,
        "server_tls_key": server_tls_key,
        "compression": compression,
        "server_compression": server_compression,
        "proxy_protocol_networks": proxy_protocol_networks,
        "server_proxy_protocol": server_proxy_protocol,
        "state_directory": state_directory,
        "admin_users": admin_users,
    }
    failures: list[BaseException] = []
    try:
        variables = process_environment()
        settings = load_settings(config, variables, flags)
        deployment = configured_deployment(settings, read_environment(variables, environment))
        uvloop.run(run_until_signal(settings, deployment))
    except* ManyreadsError as group:
        failures = _leaves(group)
    # Not inside of the except*, which would wrap the exit into a group of its own.
    if failures:
        for failure in failures:
            print(f"manyreads: {failure}", file=sys.stderr)
        sys.exit(USAGE_ERROR)


@app.command()
def explain(
    statement: Annotated[str, typer.Argument(help="The SQL text.")],
    vendor: Annotated[Vendor, typer.Option(help="Whose servers.")] = Vendor.MYSQL,
    version: Annotated[str, typer.Option(help="Their version, for code in comments.")] = "",
    schema: Annotated[str, typer.Option(help="The session's default schema.")] = "",
    sql_mode: Annotated[str, typer.Option(help="The session's sql_mode.")] = "",
    config: Annotated[Path | None, typer.Option(help="TOML file with rules.")] = None,
    user: Annotated[str, typer.Option(help="Whose session it is, for rules.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell where a statement goes, and why, without asking any server."""
    try:
        rules = rules_of(load_settings(config, {}, {}).rules)
    except ManyreadsError as error:
        print(f"manyreads: {error}", file=sys.stderr)
        raise typer.Exit(USAGE_ERROR) from None
    print(explained(explanation(statement, vendor, version, schema, sql_mode, rules=rules, user=user), as_json))


def _leaves(group: BaseExceptionGroup[ManyreadsError]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


if __name__ == "__main__":
    app()
