"""`manyreads top`: a running proxy, live in the terminal."""

import json
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from manyreads.screen import screen

_WITHIN = 5.0


def top(
    url: Annotated[str, typer.Option(help="The proxy's HTTP address (setting http).")] = "http://127.0.0.1:8081",
    token: Annotated[
        str, typer.Option(help="Its token.", envvar="MANYREADS_HTTP_TOKEN", show_default=False, show_envvar=True)
    ] = "",
    token_file: Annotated[
        Path | None, typer.Option(help="File that holds the token.", envvar="MANYREADS_HTTP_TOKEN_FILE")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM file to verify an https URL by.")] = None,
    interval: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look twice, print what happened in between, and end.")] = False,
) -> None:
    """Show what a running proxy does: servers, rates, statements, sessions. Ends with Ctrl-C."""
    if token_file is not None:
        token = token_file.read_text(encoding="utf-8").strip()
    source = _Source(url, token, ca)
    before = source.status()
    console = Console()
    try:
        if once:
            time.sleep(interval)
            console.print(screen(before, source.status(), console.width, None))
            return
        _live(source, before, console, interval)
    except KeyboardInterrupt:
        raise typer.Exit from None


def _live(source: "_Source", before: dict[str, Any], console: Console, interval: float) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(interval)
            now = source.status()
            live.update(screen(before, now, console.width, console.height), refresh=True)
            before = now


class _Source:
    """Where the figures come from."""

    def __init__(self, url: str, token: str, ca: Path | None) -> None:
        if not url.startswith(("http://", "https://")):
            raise typer.BadParameter("write http://HOST:PORT or https://HOST:PORT", param_hint="--url")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._request = urllib.request.Request(f"{url.rstrip('/')}/status", headers=headers)
        self._tls = ssl.create_default_context(cafile=ca) if url.startswith("https://") else None

    def status(self) -> dict[str, Any]:
        """What /status tells now; ends the program if that cannot be had."""
        try:
            with urllib.request.urlopen(self._request, timeout=_WITHIN, context=self._tls) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            problem = error.read().decode("utf-8", "replace").strip() or error.reason
        except OSError as error:
            problem = str(getattr(error, "reason", error))
        typer.echo(f"manyreads: {self._request.full_url}: {problem}", err=True)
        raise typer.Exit(2)
