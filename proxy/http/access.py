"""Who may ask, and how the asking is encrypted."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware
from pydantic import SecretStr

from topology.addresses import is_loopback
from topology.config import Settings
from topology.tlsfiles import WatchedContext
from topology.web import check_site, check_token

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# For those who only look whether the process is well: they get no token. The page asks for it, and has nothing to hide.
_FOR_EVERYBODY: Final = frozenset({"/", "/healthz", "/readyz"})
_READING: Final = frozenset({"GET", "HEAD"})


def guard(settings: Callable[[], Settings]) -> Middleware:
    """Lets through who shows the `http_token` of the settings in force, as `Authorization: Bearer TOKEN`.

    Where none is set, who only reads.
    """

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in _FOR_EVERYBODY:
            _check(request, settings().http_token)
        return await handler(request)

    return guarded


def trusts(request: web.Request, settings: Settings) -> bool:
    """Whether who asks may see more than health."""
    try:
        _check(request, settings.http_token)
    except (web.HTTPForbidden, web.HTTPUnauthorized):
        return False
    return True


def _check(request: web.Request, secret: SecretStr | None) -> None:
    """Raises the response of a refusal."""
    check_site(request)
    if secret is None and not is_loopback(request.url.host or ""):
        # A name that a stranger's page had resolve to this machine.
        raise web.HTTPForbidden(text="without a token ask for localhost, 127.0.0.1 or [::1]\n")
    if secret is None and request.method in _READING:
        return
    if secret is None:
        raise web.HTTPForbidden(text="changes need a token, and none is set: http_token or http_token_file\n")
    check_token(request, secret.get_secret_value())


def for_http(certificate: Callable[[], WatchedContext | None]) -> ssl.SSLContext:
    """A context with the certificate for clients as it is at each handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2

    def use_newest(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if (watched := certificate()) is not None:
            connection.context = watched.current()

    context.sni_callback = use_newest
    return context
