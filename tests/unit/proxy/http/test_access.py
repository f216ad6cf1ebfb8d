"""Who is let in, and which certificate is met."""

import asyncio
import ssl
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from proxy.http.access import for_http, guard, trusts
from proxy.tls.context import client_facing
from proxy.tls.selfmade import OfThisRun
from tests.support.certificates import Authority, Pair
from topology.settings import load_settings

TOKEN = "0123456789abcdef"


async def _answer(_: web.Request) -> web.StreamResponse:
    return web.Response(text="let in")


def status(
    method: str,
    path: str,
    authorization: str = "",
    token: str | None = TOKEN,
    host: str = "127.0.0.1:8081",
    site: str = "none",
) -> int:
    settings = load_settings(None, {}, {"http_token": token})
    given = {"Host": host, "Sec-Fetch-Site": site, **({"Authorization": authorization} if authorization else {})}
    request = make_mocked_request(method, path, headers=given)
    try:
        return asyncio.run(guard(lambda: settings)(request, _answer)).status  # type: ignore[arg-type]  # the mocked request has no type of its own
    except web.HTTPException as refusal:
        return refusal.status


@pytest.mark.parametrize(
    ("token", "authorization", "host", "trusted"),
    [
        (TOKEN, f"Bearer {TOKEN}", "10.0.0.1:8081", True),
        (TOKEN, "", "127.0.0.1:8081", False),
        (None, "", "127.0.0.1:8081", True),
        (None, "", "stranger.example:8081", False),
    ],
)
def test_who_sees_reasons(token: str | None, authorization: str, host: str, trusted: bool) -> None:
    given = {"Host": host, **({"Authorization": authorization} if authorization else {})}
    request = make_mocked_request("GET", "/healthz", headers=given)
    assert trusts(request, load_settings(None, {}, {"http_token": token})) is trusted


@pytest.mark.parametrize("path", ["/metrics", "/status", "/anything"])
def test_with_a_token_it_has_to_be_shown(path: str) -> None:
    assert status("GET", path, f"Bearer {TOKEN}") == 200
    assert status("POST", path, f"bearer {TOKEN}") == 200
    for wrong in ("", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer ä", "Bearer"):
        assert status("GET", path, wrong) == 401
        assert status("POST", path, wrong) == 401


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_health_and_the_page_are_for_everybody(path: str) -> None:
    assert status("GET", path) == 200


def test_without_a_token_there_is_only_reading() -> None:
    assert status("GET", "/metrics", token=None) == 200
    assert status("HEAD", "/metrics", token=None) == 200
    assert status("POST", "/metrics", token=None) == 403
    assert status("POST", "/metrics", "Bearer ", token=None) == 403


@pytest.mark.parametrize(("site", "expected"), [("same-origin", 200), ("same-site", 403), ("cross-site", 403)])
def test_pages_of_other_sites_are_refused(site: str, expected: int) -> None:
    assert status("POST", "/reload", f"Bearer {TOKEN}", site=site) == expected
    assert status("GET", "/status", token=None, site=site) == expected


@pytest.mark.parametrize("host", ["localhost:8081", "[::1]:8081", "127.0.0.1"])
def test_without_a_token_it_is_asked_for_by_names_of_this_machine(host: str) -> None:
    assert status("GET", "/status", token=None, host=host) == 200


def test_other_names_need_a_token() -> None:
    assert status("GET", "/status", token=None, host="rebound.example:80") == 403
    assert status("GET", "/status", f"Bearer {TOKEN}", host="proxy.example:80") == 200


def meets(context: ssl.SSLContext, authority: Authority, name: str | None) -> bytes:
    """The certificate that a client sees."""
    trusting = ssl.create_default_context(cafile=str(authority.certificate))
    trusting.check_hostname = False
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.getpeercert(binary_form=True) or b""


def der(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())


@pytest.mark.parametrize("name", ["localhost", None])
def test_the_certificate_is_that_of_the_moment(name: str | None, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    first = authority.named("proxy")
    watched = client_facing(
        load_settings(None, {}, {"tls_certificate": first.certificate, "tls_key": first.key}), OfThisRun()
    )
    context, before = for_http(lambda: watched), der(first)
    assert meets(context, authority, name) == before
    second = authority.named("proxy")
    watched.look()
    assert meets(context, authority, name) == der(second) != before
