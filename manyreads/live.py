"""Looks at a running proxy over HTTP, and shows them in the terminal."""

import json
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.live import Live

from manyreads.screen import screen

_WITHIN = 5.0


def look_twice(url: str, token: str, ca: Path | None, interval: float) -> None:
    """Print what happened within `interval` seconds."""
    source, console = _Source(url, token, ca), Console()
    before = source.status()
    time.sleep(interval)
    console.print(screen(before, source.status(), console.width, None))


def look_on(url: str, token: str, ca: Path | None, interval: float) -> None:
    """Show what happens, anew every `interval` seconds."""
    source, console = _Source(url, token, ca), Console()
    before = source.status()
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
            problem, remedy = error.read().decode("utf-8", "replace").strip() or error.reason, ""
        except OSError as error:
            problem = str(getattr(error, "reason", error))
            remedy = "\n  remedy: run the proxy with --http HOST:PORT, and name that address with --url"
        typer.echo(f"manyreads: {self._request.full_url}: {problem}{remedy}", err=True)
        raise typer.Exit(2)
