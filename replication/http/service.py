"""The HTTP service of the watcher: routes and nothing else. What changes or costs something needs the token."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files

from aiohttp import web

from replication.errors import Refused
from replication.http import views
from replication.http.metrics import exposition
from replication.http.stream import Broadcast
from replication.ladder import Watched
from replication.telling import Report
from replication.watcher import Watcher
from topology.addresses import endpoint
from topology.errors import ConfigError
from topology.web import check_site, check_token, secure


@asynccontextmanager
async def serving(watcher: Watcher, host: str, port: int, token: str) -> AsyncIterator[tuple[str, int]]:
    """Serve while the block runs; yields host and port. Without a token nothing can be asked for."""
    service = _Service(watcher, token)
    runner = web.AppRunner(service.application(), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            where = endpoint(host, port)
            raise ConfigError(f"cannot listen on {where}: {error.strerror}", "name another: --http") from None
        address = runner.addresses[0]
        yield str(address[0]), int(address[1])
    finally:
        service.broadcast.close()
        await runner.cleanup()


class _Service:
    def __init__(self, watcher: Watcher, token: str) -> None:
        self._watcher = watcher
        self._token = token
        self._page = files("replication.http").joinpath("page.html").read_text(encoding="utf-8")
        self.broadcast = Broadcast(watcher)

    def application(self) -> web.Application:
        application = web.Application(client_max_size=4096)
        application.router.add_get("/", self._index)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/status", self._status)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/events", self._events)
        application.router.add_get("/replicas/{name}", self._replica)
        application.router.add_post("/replicas/{name}/resync", self._resync)
        application.router.add_post("/replicas/{name}/verify", self._verify)
        application.on_response_prepare.append(secure)
        return application

    async def _index(self, _: web.Request) -> web.Response:
        return web.Response(text=self._page, content_type="text/html", charset="utf-8")

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _readyz(self, _: web.Request) -> web.Response:
        report = self._watcher.report
        ready = report is not None and views.is_ready(report)
        return web.json_response({"ok": ready}, status=200 if ready else 503)

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(views.status(self._report()))

    async def _metrics(self, _: web.Request) -> web.Response:
        body = exposition(lambda: self._watcher.report)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _replica(self, request: web.Request) -> web.Response:
        report = self._report()
        watched = _named(report, request)
        serves = views.serves(watched, _max_lag(request))
        return web.json_response(views.replica(report, watched), status=200 if serves else 503)

    async def _resync(self, request: web.Request) -> web.Response:
        return self._begin(request, self._watcher.begin_resync)

    async def _verify(self, request: web.Request) -> web.Response:
        return self._begin(request, self._watcher.begin_verify)

    def _begin(self, request: web.Request, begin: Callable[[str], None]) -> web.Response:
        self._check_token(request)
        name = _named(self._report(), request).name
        try:
            begin(name)
        except Refused as refused:
            return web.json_response({"ok": False, "error": refused.problem, "remedy": refused.remedy}, status=409)
        return web.json_response({"ok": True}, status=202)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        async for message in self.broadcast.messages():
            try:
                await response.write(message)
            except ConnectionError:
                break
        return response

    def _check_token(self, request: web.Request) -> None:
        if not self._token:
            raise web.HTTPForbidden(text="no token is set: start the watcher with MANYREADS_HTTP_TOKEN\n")
        check_site(request)
        check_token(request, self._token)

    def _report(self) -> Report:
        report = self._watcher.report
        if report is None:
            raise web.HTTPServiceUnavailable(text="nothing was looked at yet\n")
        return report


def _named(report: Report, request: web.Request) -> Watched:
    name = request.match_info["name"]
    found = next((each for each in report.replicas if each.name == name), None)
    if found is None:
        raise web.HTTPNotFound(
            text=f"there is no such replica; there are {', '.join(e.name for e in report.replicas)}\n"
        )
    return found


def _max_lag(request: web.Request) -> float | None:
    text = request.query.get("max_lag")
    if text is None:
        return None
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf"):
        raise web.HTTPBadRequest(text="max_lag is no number of seconds\n")
    return limit
