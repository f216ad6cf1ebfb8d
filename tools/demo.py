"""`make demo`: a primary, two replicas and the proxy on this machine, and where a short workload went.

Uses the programs as a user would (`python -m replication.startsync`, `python -m proxy`). Everything lives in one
temporary directory and is gone after Ctrl-C.
"""

import asyncio
import contextlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from replication.sandbox import Cluster, Flavor
from topology.environment import deployment, read_environment
from topology.errors import ManyreadsError
from topology.servers import Role, Server
from topology.sqlclient import SqlClient, connected

ROOT = Path(__file__).parents[1]
SCHEMA = "shop"
PRODUCTS = 200
READS = 1000
WRITES = 200
TRANSACTIONS = 50
READS_IN_TRANSACTION = 4
PATIENCE = 30.0

console = Console(highlight=False)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    flavor: Annotated[Flavor, typer.Option(help="Which servers to start.")] = Flavor.MARIADB,
    stay: Annotated[bool, typer.Option(help="Stay up until Ctrl-C.")] = True,
) -> None:
    """Show a primary, two replicas, and the proxy splitting reads from writes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    directory = Path(tempfile.mkdtemp(prefix="manyreads-demo-"))
    try:
        with contextlib.suppress(KeyboardInterrupt):
            run_demo(directory / "sandbox", flavor, stay)
    except ManyreadsError as error:
        console.print(f"[red]manyreads:[/] {error}", markup=True)
        sys.exit(1)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run_demo(directory: Path, flavor: Flavor, stay: bool) -> None:
    """The demo's steps in order; whatever was started is stopped at the end."""
    with sandbox(directory, flavor) as cluster:
        found = deployment(read_environment({}, cluster.environment_file))
        account = replace(found.primary, name="proxy", user="app", password=secrets.token_urlsafe(12))
        step("sample data on dbwrite")
        asyncio.run(make_sample_data(found.primary, account))
        step("python -m replication.startsync")
        subprocess.run(command("replication.startsync", cluster), cwd=ROOT, check=True)
        step("python -m proxy")
        with proxy(cluster, directory.parent / "proxy.log") as (host, port):
            account = replace(account, host=host, port=port)
            servers = [
                replace(each, user=found.primary.user, password=found.primary.password) for each in found.servers
            ]
            step("a workload through the proxy")
            asyncio.run(show_workload(account, servers))
            explain(account, cluster)
            if stay:
                console.print("\nCtrl-C stops it all.")
                signal.pause()


def step(text: str) -> None:
    """Announce what happens next."""
    console.print(f"\n[bold]> {text}[/]")


@contextlib.contextmanager
def sandbox(directory: Path, flavor: Flavor) -> Iterator[Cluster]:
    """The servers, as long as the block lasts."""
    step(f"three blank {flavor.value} servers: dbwrite, dbread1, dbread2")
    cluster = Cluster.up(directory, flavor)
    try:
        yield cluster
    finally:
        console.print("\nstopping the servers")
        cluster.down()


@contextlib.contextmanager
def proxy(cluster: Cluster, log_file: Path) -> Iterator[tuple[str, int]]:
    """The proxy, when it has found all servers healthy, as (host, port)."""
    arguments = [*command("proxy", cluster), "--listen", "127.0.0.1:0"]
    with log_file.open("wb") as log, subprocess.Popen(arguments, cwd=ROOT, stdout=log, stderr=log) as process:
        try:
            yield serving_address(process, log_file, len(cluster.servers))
        finally:
            process.terminate()
            # Leaving the block waits only a moment after Ctrl-C.
            process.wait()


def serving_address(process: subprocess.Popen[bytes], log_file: Path, servers: int) -> tuple[str, int]:
    """Wait until the proxy serves; its own log tells the port."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        text = log_file.read_text()
        match = re.search(r"serving on ([\d.]+):(\d+)", text)
        if match and text.count("-> healthy") >= servers:
            console.print(text.rstrip())
            return match[1], int(match[2])
        time.sleep(0.05)
    raise ManyreadsError(f"the proxy did not start:\n{log_file.read_text()}")


def command(module: str, cluster: Cluster) -> list[str]:
    """How a user would start one of the programs for this sandbox."""
    return [sys.executable, "-m", module, "--environment", str(cluster.environment_file)]


async def make_sample_data(primary: Server, account: Server) -> None:
    """A table with rows in it, and an account for the application."""
    async with connected(primary) as client:
        await client.query(f"CREATE DATABASE {SCHEMA}")
        await client.query(
            f"CREATE TABLE {SCHEMA}.product (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50), stock INT)"
        )
        rows = ", ".join(f"('product {number}', 100)" for number in range(PRODUCTS))
        await client.query(f"INSERT INTO {SCHEMA}.product (name, stock) VALUES {rows}")
        await client.query(f"CREATE USER {account.user}@'%' IDENTIFIED BY {client.literal(account.password)}")
        await client.query(f"GRANT ALL ON {SCHEMA}.* TO {account.user}@'%'")


async def show_workload(account: Server, servers: list[Server]) -> None:
    """Run the workload and show what each server counted of it."""
    async with connected(account) as client:
        await client.query(f"USE {SCHEMA}")
        await until_reads_leave_the_primary(client, servers)
        counts: dict[str, list[int]] = {server.name: [] for server in servers}
        for part in (run_reads, run_writes, run_transactions):
            before = await selects(servers)
            await part(client)
            for name, count in (await selects(servers)).items():
                counts[name].append(count - before[name])
            if part is run_writes:
                await until_reads_leave_the_primary(client, servers)
    changes = await origins(servers)
    console.print(table(servers, counts, changes))
    console.print(
        f"{READS} plain reads; {WRITES} plain writes; "
        f"{TRANSACTIONS} transactions of {READS_IN_TRANSACTION} reads and a write each.\n"
        "SELECTs by the server's own count (Com_select), with the few that the proxy asks for itself.\n"
        "Changes by the GTIDs of the server's own making: replicated ones are not."
    )


async def until_reads_leave_the_primary(client: SqlClient, servers: list[Server]) -> None:
    """Wait until the proxy knows that the replicas have every write."""
    until = time.monotonic() + PATIENCE
    primary = servers[0].name
    while time.monotonic() < until:
        before = await selects(servers)
        for _ in range(20):
            await client.query("SELECT stock FROM product WHERE id = 1")
        if (await selects(servers))[primary] - before[primary] < 20:
            return
    raise ManyreadsError("the replicas do not catch up")


async def run_reads(client: SqlClient) -> None:
    """Plain reads."""
    for number in range(READS):
        await client.query(f"SELECT name, stock FROM product WHERE id = {number % PRODUCTS + 1}")


async def run_writes(client: SqlClient) -> None:
    """Plain writes."""
    for number in range(WRITES):
        await client.query(f"UPDATE product SET stock = stock - 1 WHERE id = {number % PRODUCTS + 1}")


async def run_transactions(client: SqlClient) -> None:
    """Transactions that read before they write."""
    for number in range(TRANSACTIONS):
        await client.query("START TRANSACTION")
        for _ in range(READS_IN_TRANSACTION):
            await client.query(f"SELECT stock FROM product WHERE id = {number + 1}")
        await client.query(f"UPDATE product SET stock = stock - 1 WHERE id = {number + 1}")
        await client.query("COMMIT")


async def selects(servers: list[Server]) -> dict[str, int]:
    """How many SELECTs each server has run since it was started."""
    return {server.name: int((await status(server, "Com_select"))["Value"]) for server in servers}


async def status(server: Server, name: str) -> dict[str, str]:
    """One of a server's counters."""
    async with connected(server) as client:
        return await client.one(f"SHOW GLOBAL STATUS LIKE '{name}'")


async def origins(servers: list[Server]) -> dict[str, str]:
    """Whether each server's binary log holds changes that began on that server."""
    return {server.name: "yes" if await changed_here(server) else "none" for server in servers}


async def changed_here(server: Server) -> bool:
    """Whether any GTID of a server is of its own making."""
    async with connected(server) as client:
        if await client.query("SHOW VARIABLES LIKE 'gtid_binlog_state'"):
            return bool(await client.value("SELECT @@gtid_binlog_state RLIKE CONCAT('-', @@server_id, '-')"))
        return bool(await client.value("SELECT INSTR(@@global.gtid_executed, @@server_uuid) > 0"))


def table(servers: list[Server], counts: dict[str, list[int]], changes: dict[str, str]) -> Table:
    """The result, a row per server."""
    result = Table(title="SELECTs that each server ran", title_justify="left")
    result.add_column("server")
    for heading in ("in reads", "in writes", "in transactions", "changes made here"):
        result.add_column(heading, justify="right")
    for server in servers:
        role = "primary" if server.role is Role.PRIMARY else "replica"
        result.add_row(f"{server.name}, {role}", *map(str, counts[server.name]), changes[server.name])
    return result


def explain(account: Server, cluster: Cluster) -> None:
    """What to try now."""
    client = "mariadb" if cluster.flavor is Flavor.MARIADB else "mysql --get-server-public-key"
    address = f"-h {account.host} -P {account.port} -u {account.user} -p{account.password} {SCHEMA}"
    console.print(
        f"\nDSN of the proxy:  mysql://{account.user}:{account.password}@{account.address}/{SCHEMA}", soft_wrap=True
    )
    console.print(f"a client for it:   {client} {address}", soft_wrap=True)
    console.print(f"the servers:       {cluster.environment_file}", soft_wrap=True)


if __name__ == "__main__":
    app()
