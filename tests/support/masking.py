"""A forwarder that hides some of a server's capabilities in its greeting, as an older server would lack them."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from urllib.parse import quote

from proxy.wire.constants import HEADER_SIZE
from proxy.wire.framing import frame, payload_length
from proxy.wire.handshake import greeting_payload, parse_greeting
from replication.sandbox import Cluster
from tests.support.proxies import ProxyProcess, started_proxy


@contextmanager
def masked(host: str, port: int, hidden: int) -> Iterator[int]:
    """The port of a forwarder to `host`:`port` that hides the flags `hidden`."""
    loop = asyncio.new_event_loop()
    ready: asyncio.Future[int] = loop.create_future()
    over = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(host, port, hidden, ready, over),))
    thread.start()
    try:
        while not ready.done():
            thread.join(0.01)
        yield ready.result()
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@contextmanager
def masking_proxy(cluster: Cluster, *hidden: int) -> Iterator[ProxyProcess]:
    """A proxy whose servers, the primary first, hide these capabilities; it has as many servers as there are."""
    with ExitStack() as stack:
        ports = [
            stack.enter_context(masked(server.host, server.port, flags))
            for server, flags in zip(cluster.servers, hidden, strict=False)
        ]
        user, password = cluster.servers[0].user, cluster.servers[0].password
        writer, *readers = (f"mysql://{user}:{quote(password)}@127.0.0.1:{port}" for port in ports)
        options = [option for url in readers for option in ("--reader", url)]
        proxy = stack.enter_context(started_proxy("--writer", writer, *options))
        proxy.wait_for_log("serving on")
        proxy.wait_for_log("-> healthy", len(ports))
        yield proxy


async def _serve(host: str, port: int, hidden: int, ready: "asyncio.Future[int]", over: asyncio.Event) -> None:
    accepted: set[asyncio.StreamWriter] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await _forward(reader, writer, host, port, hidden)
        writer.transport.abort()
        accepted.discard(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    ready.set_result(server.sockets[0].getsockname()[1])
    await over.wait()
    server.close()
    # Whatever was accepted last may still be about to become a task.
    await asyncio.sleep(0)
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for writer in accepted:
            writer.transport.abort()
        await asyncio.wait(others, timeout=0.05)
        # In which their sockets are closed.
        await asyncio.sleep(0)


async def _forward(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, hidden: int
) -> None:
    from_server, to_server = await asyncio.open_connection(host, port)
    try:
        header = await from_server.readexactly(HEADER_SIZE)
        greeting = parse_greeting(await from_server.readexactly(payload_length(header)))
        writer.write(frame(greeting_payload(replace(greeting, capabilities=greeting.capabilities & ~hidden)), 0))
        await asyncio.gather(_pump(reader, to_server), _pump(from_server, writer))
    finally:
        to_server.transport.abort()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
    target.close()
