"""Routes and nothing else. Nothing here changes anything, and nothing tells a user, an address or a statement.

With a token all but health is for those who show it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from proxy.http.access import for_http, guard
from proxy.http.metrics import Metrics
from proxy.session.context import Context
from topology.errors import ConfigError

_EXPOSITION: Final = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}


@asynccontextmanager
async def serving(context: Context, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
    """Serve while the block runs; yields host and port. Raises ConfigError."""
    runner = web.AppRunner(_application(context), access_log=None, shutdown_timeout=1.0)
    tls = for_http(lambda: context.certificate) if context.settings.http_tls else None
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, ssl_context=tls).start()
        except OSError as error:
            raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}", "name another: --http") from None
        address = runner.addresses[0]
        yield str(address[0]), int(address[1])
    finally:
        await runner.cleanup()


def _application(context: Context) -> web.Application:
    metrics = Metrics(context)

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def readyz(_: web.Request) -> web.Response:
        problem = not_ready(context)
        return web.json_response({"ok": not problem, "problem": problem}, status=503 if problem else 200)

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers=_EXPOSITION)

    application = web.Application(client_max_size=4096, middlewares=[guard(lambda: context.settings)])
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", scrape)
    return application


def not_ready(context: Context) -> str:
    """Why no more clients should be sent here; empty when they should be."""
    if context.draining:
        return "the proxy stops"
    if not context.accepting:
        return "the proxy does not accept clients yet"
    snapshot = context.monitor.snapshot
    if snapshot.split:
        return snapshot.split
    primary = snapshot.primary
    return "" if primary.usable else f"the primary is {primary.health}: {primary.reason}"
