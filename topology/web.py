"""What the HTTP services of the proxy and of the watcher have in common: what browsers are told, and the token."""

import hmac
from typing import Final

from aiohttp import web

_SECURITY: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


async def secure(_: web.Request, response: web.StreamResponse) -> None:
    """What browsers have to know of each answer."""
    response.headers.update(_SECURITY)


def check_token(request: web.Request, token: str) -> None:
    """Raises 401 unless the request shows it, as `Authorization: Bearer TOKEN`."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # The length of the time that this takes tells nothing of the token.
    same = hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())
    if not same or scheme.lower() != "bearer":
        raise web.HTTPUnauthorized(text="wrong token\n", headers={"WWW-Authenticate": "Bearer"})


def check_site(request: web.Request) -> None:
    """Raises 403 for what a browser was made to ask by the page of another site."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise web.HTTPForbidden(text="asked for by the page of another site\n")
