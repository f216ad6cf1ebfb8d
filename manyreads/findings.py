"""What `manyreads doctor` finds, and how it tells it."""

from typing import Final

from rich.console import Console
from rich.text import Text

from manyreads.diagnosis import Finding, Level, diagnosed
from manyreads.examination import examined
from topology.config import Settings
from topology.discovery import replicas_of
from topology.environment import Deployment
from topology.errors import ServerError

_STYLES: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}


async def findings_of(settings: Settings, deployment: Deployment) -> list[Finding]:
    """Everything that the servers' answers tell, and those of the replicas that the primary knows if none is named."""
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


def show(findings: list[Finding], show_all: bool) -> None:
    """Print what is not well, for people; all of it with `show_all`."""
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        if finding.level is Level.OK and not show_all:
            continue
        subject = ": ".join(part for part in (finding.server, finding.check) if part)
        console.print(Text(finding.level, _STYLES[finding.level]), Text(f"{subject}: {finding.text}"))
        if finding.remedy:
            console.print(Text(f"    {finding.remedy}"))
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    told = (_several(len(findings), "check"), *(_several(counts[each], each) for each in (Level.ERROR, Level.WARNING)))
    console.print("{}: {}, {}".format(*told), markup=False)


def _several(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
