"""`manyreads doctor`: whether a deployment is as it has to be, and what mends it."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from manyreads.diagnosis import Finding, Level, diagnosed
from manyreads.examination import examined
from proxy.flags import with_settings
from proxy.origin import Origin
from topology.config import Settings
from topology.discovery import replicas_of
from topology.environment import Deployment, process_environment
from topology.errors import ManyreadsError, ServerError

_STYLES: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}
_PROBLEMS: Final = 1
_USAGE_ERROR: Final = 2


@with_settings
def doctor(
    flags: Mapping[str, Any],
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.", envvar="MANYREADS_CONFIG")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Print what is well, too.")] = False,
) -> None:
    """Ask all servers whether they are as the proxy needs them; exits with 1 if something keeps it from working."""
    origin = Origin(config, process_environment(), flags)
    try:
        settings = origin.settings()
        findings = asyncio.run(_findings(settings, origin.deployment(settings)))
    except ManyreadsError as error:
        print(f"manyreads: {error}", file=sys.stderr)
        raise typer.Exit(_USAGE_ERROR) from None
    ill = any(finding.level is Level.ERROR for finding in findings)
    if as_json:
        print(json.dumps({"ok": not ill, "findings": [asdict(finding) for finding in findings]}))
    else:
        _print(findings, show_all)
    raise typer.Exit(_PROBLEMS if ill else 0)


async def _findings(settings: Settings, deployment: Deployment) -> list[Finding]:
    within, untold = settings.connect_timeout, ""
    if not deployment.replicas and settings.find_replicas:
        try:
            deployment = await _with_replicas(deployment, within)
        except ServerError as error:
            # The primary is asked all the same: more than this may be wrong with it.
            untold = error.problem
    return diagnosed(await examined(deployment.servers, within), settings, untold)


async def _with_replicas(deployment: Deployment, within: float) -> Deployment:
    found = await replicas_of(deployment.primary, within)
    named = (server.named(f"dbread{number}") for number, server in enumerate(found, 1))
    return Deployment(deployment.primary, tuple(named))


def _print(findings: list[Finding], show_all: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        if finding.level is Level.OK and not show_all:
            continue
        subject = ": ".join(part for part in (finding.server, finding.check) if part)
        console.print(Text(finding.level, _STYLES[finding.level]), Text(f"{subject}: {finding.text}"))
        if finding.remedy:
            console.print(Text(f"    {finding.remedy}"))
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    console.print(
        f"{len(findings)} checks: {counts[Level.ERROR]} errors, {counts[Level.WARNING]} warnings", markup=False
    )
