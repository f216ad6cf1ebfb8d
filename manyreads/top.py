"""`manyreads top`: a running proxy, live in the terminal."""

from pathlib import Path
from typing import Annotated

import typer


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
    try:
        # Here and not above, as what each command needs: the others shall not wait for it.
        from manyreads.live import look_on, look_twice

        (look_twice if once else look_on)(url, token, ca, interval)
    except KeyboardInterrupt:
        raise typer.Exit from None
