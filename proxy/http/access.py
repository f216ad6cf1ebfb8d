"""Who may ask, and how the asking is encrypted."""

import hmac
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware
from pydantic import SecretStr

from topology.config import Settings, is_loopback
from topology.tlsfiles import WatchedContext

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# For those who only look whether the process is well: they get no token. The page asks for it, and has nothing to hide.
_FOR_EVERYBODY: Final = frozenset({"/", "/healthz", "/readyz"})
_SECURITY: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
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
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise web.HTTPForbidden(text="asked for by the page of another site\n")
    if secret is None and not is_loopback(request.url.host or ""):
        # A name that a stranger's page had resolve to this machine.
        raise web.HTTPForbidden(text="without a token ask for localhost, 127.0.0.1 or [::1]\n")
    if secret is None and request.method in _READING:
        return
    if secret is None:
        raise web.HTTPForbidden(text="changes need a token, and none is set: http_token or http_token_file\n")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # The length of the time that this takes tells nothing of the token.
    token = secret.get_secret_value().encode()
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token) or scheme.lower() != "bearer":
        raise web.HTTPUnauthorized(text="wrong token\n", headers={"WWW-Authenticate": "Bearer"})


async def secure(_: web.Request, response: web.StreamResponse) -> None:
    """What browsers have to know of each answer."""
    response.headers.update(_SECURITY)


def for_http(certificate: Callable[[], WatchedContext | None]) -> ssl.SSLContext:
    """A context with the certificate for clients as it is at each handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2

    def use_newest(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if (watched := certificate()) is not None:
            connection.context = watched.current()

    context.sni_callback = use_newest
    return context
