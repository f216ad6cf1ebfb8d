"""Routes and nothing else: health, metrics, the dashboard with what it shows, and what can be changed from there.

With a token all but health and the empty page is for those who show it; changes are at any rate.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Final

from aiohttp import web

from proxy.http.access import for_http, guard, trusts
from proxy.http.views import PARTS, status
from proxy.logs import audit
from proxy.session.shared.context import Context
from proxy.session.shared.overview import server_views
from proxy.sql.own import Deed, Order
from topology.web import secure

# The text that Prometheus reads (version 0.0.4 of its format).
Exposition = Callable[[], Awaitable[bytes]]
_EXPOSITION: Final = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}


@asynccontextmanager
async def serving(
    context: Context, hangup: asyncio.Event, metrics: Exposition, sockets: list[socket.socket]
) -> AsyncIterator[tuple[str, int]]:
    """Serve on these while the block runs; yields host and port. `hangup` has the settings read again, `metrics`
    gives those of Prometheus."""
    runner = web.AppRunner(_Service(context, hangup, metrics).application(), access_log=None, shutdown_timeout=1.0)
    tls = for_http(lambda: context.certificate) if context.settings.http_tls else None
    await runner.setup()
    try:
        for each in sockets:
            await web.SockSite(runner, each, ssl_context=tls).start()
        address = runner.addresses[0]
        yield str(address[0]), int(address[1])
    finally:
        await runner.cleanup()


class _Service:
    def __init__(self, context: Context, hangup: asyncio.Event, metrics: Exposition) -> None:
        self._context = context
        self._hangup = hangup
        self._metrics = metrics
        self._page = files("proxy.http").joinpath("page.html").read_text(encoding="utf-8")

    def application(self) -> web.Application:
        application = web.Application(client_max_size=4096, middlewares=[guard(lambda: self._context.settings)])
        application.router.add_get("/", self._index)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", self._scrape)
        application.router.add_get("/status", self._status)
        application.router.add_post("/reload", self._reload)
        application.router.add_post(r"/servers/{name:[\w.-]{1,64}}/{deed:drain|resume}", self._order)
        application.router.add_post(r"/servers/{name:[\w.-]{1,64}}/{deed:weight}/{weight:100|[1-9]\d?}", self._order)
        application.router.add_post(r"/sessions/{number:\d{1,19}}/kill", self._kill)
        application.on_response_prepare.append(secure)
        return application

    async def _index(self, _: web.Request) -> web.Response:
        return web.Response(text=self._page, content_type="text/html", charset="utf-8")

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "servers": self._servers(request)})

    async def _readyz(self, request: web.Request) -> web.Response:
        problem = not_ready(self._context)
        body = {"ok": not problem, "problem": problem, "servers": self._servers(request)}
        return web.json_response(body, status=503 if problem else 200)

    def _servers(self, request: web.Request) -> list[dict[str, str]]:
        """The state of each, with the reason for those who may see it: addresses and accounts can be in it."""
        trusted = trusts(request, self._context.settings)
        found = []
        for view in server_views(self._context, {}):
            state = {"name": view.server.name, "role": str(view.server.role), "state": view.health}
            found.append({**state, "reason": view.reason} if trusted else state)
        return found

    async def _scrape(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._metrics(), headers=_EXPOSITION)

    async def _status(self, _: web.Request) -> web.Response:
        figures = await self._context.colleagues.figures(PARTS)
        return web.json_response(status(self._context, figures))

    async def _reload(self, request: web.Request) -> web.Response:
        audit("reload", by=request.remote)
        self._hangup.set()
        return web.json_response({"ok": True}, status=202)

    async def _order(self, request: web.Request) -> web.Response:
        found = request.match_info
        order = Order(found["name"], Deed(found["deed"].upper()), int(found.get("weight", 0)))
        if not await self._context.colleagues.order(order):
            raise web.HTTPNotFound(text="there is no such replica\n")
        audit(order.deed.lower(), by=request.remote, server=order.server, weight=order.weight or None)
        return web.json_response({"ok": True})

    async def _kill(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        session = await self._context.colleagues.end_session(number)
        if session is None:
            raise web.HTTPNotFound(text="there is no such session\n")
        audit("session killed", by=request.remote, session=number, user=session.user, client=session.client)
        return web.json_response({"ok": True})


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
