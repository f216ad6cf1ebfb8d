"""`manyreads doctor`: whether a deployment is as it has to be, and what mends it."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from proxy.flags import with_settings
from proxy.origin import Origin
from topology.environment import process_environment
from topology.errors import ManyreadsError

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
    # Here and not above, as what each command needs: the others shall not wait for it.
    from manyreads.diagnosis import Level
    from manyreads.findings import findings_of, show

    origin = Origin(config, process_environment(), flags)
    try:
        settings = origin.settings()
        findings = asyncio.run(findings_of(settings, origin.deployment(settings)))
    except ManyreadsError as error:
        print(f"manyreads: {error}", file=sys.stderr)
        raise typer.Exit(_USAGE_ERROR) from None
    ill = any(finding.level is Level.ERROR for finding in findings)
    if as_json:
        print(json.dumps({"ok": not ill, "findings": [asdict(finding) for finding in findings]}))
    else:
        show(findings, show_all)
    raise typer.Exit(_PROBLEMS if ill else 0)
