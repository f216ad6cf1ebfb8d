"""`python -m proxy`: arguments to settings, settings to a running proxy, errors to one line and an exit code."""

import gc
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from proxy.flags import with_settings
from proxy.logs import set_up as set_up_logs
from proxy.origin import Origin
from topology.effective import effective
from topology.environment import process_environment
from topology.errors import ManyreadsError
from topology.servers import Vendor
from topology.settings import load, load_settings, misspelt

log = logging.getLogger(__name__)

USAGE_ERROR = 2
Flags = Mapping[str, Any]
ConfigFile = Annotated[Path | None, typer.Option(help="TOML file with settings.", envvar="MANYREADS_CONFIG")]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
@with_settings
def main(
    context: typer.Context,
    flags: Flags,
    config: ConfigFile = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more: log_level = debug.")] = False,
) -> None:
    """One DSN for a MySQL or MariaDB primary and its replicas: writes to the one, reads to the others."""
    if context.invoked_subcommand is not None:
        return
    failures: list[BaseException] = []
    try:
        variables = process_environment()
        origin = Origin(config, variables, {"log_level": "debug", **flags} if verbose else flags)
        settings = origin.settings()
        set_up_logs(settings.log_level, settings.log_format, audit=settings.audit_log)
        for fault in misspelt(variables):
            log.warning("%s", fault)
        # Nothing that modules make is garbage: looking for that takes a tenth of a start, and time of clients later.
        gc.disable()
        # Here and not above, as what each command needs: the others shall not wait for it.
        import uvloop

        from proxy.app import run_until_signal

        gc.freeze()
        gc.enable()
        uvloop.run(run_until_signal(origin, settings))
    except* ManyreadsError as group:
        failures = _leaves(group)
    # Not inside of the except*, which would wrap the exit into a group of its own.
    if failures:
        for failure in failures:
            print(f"manyreads: {failure}", file=sys.stderr)
        sys.exit(USAGE_ERROR)


@app.command()
@with_settings
def check(
    context: typer.Context,
    flags: Flags,
    file: Annotated[Path | None, typer.Argument(help="The same as --config.", metavar="[FILE]")] = None,
    config: ConfigFile = None,
) -> None:
    """Tell everything that is wrong with the settings, without starting; exits with 2 if something is."""
    from proxy.check import findings

    source = context.get_parameter_source("config")
    if file is not None and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter(f"{file} and --config {config}: name one file")
    found = findings(file or config, process_environment(), flags)
    for warning in found.warnings:
        print(f"warning: {warning}")
    for fault in found.faults:
        print(fault)
    if found.faults:
        raise typer.Exit(USAGE_ERROR)
    print(f"the settings can be used: {found.summary}")


@app.command()
@with_settings
def config(
    flags: Flags,
    config: ConfigFile = None,
    explain: Annotated[bool, typer.Option("--explain", help="Tell where each comes from.")] = False,
) -> None:
    """Print the settings in force, as TOML; passwords are stars."""
    try:
        loaded = load(config, process_environment(), flags)
    except ManyreadsError as error:
        print(f"manyreads: {error}", file=sys.stderr)
        raise typer.Exit(USAGE_ERROR) from None
    print("\n".join(effective(loaded, with_sources=explain)))


@app.command()
def explain(
    statement: Annotated[str, typer.Argument(help="The SQL text.")],
    vendor: Annotated[Vendor, typer.Option(help="Whose servers.")] = Vendor.MYSQL,
    version: Annotated[str, typer.Option(help="Their version, for code in comments.")] = "",
    schema: Annotated[str, typer.Option(help="The session's default schema.")] = "",
    sql_mode: Annotated[str, typer.Option(help="The session's sql_mode.")] = "",
    config: Annotated[Path | None, typer.Option(help="TOML file with rules, read_functions.")] = None,
    user: Annotated[str, typer.Option(help="Whose session it is, for rules.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell where a statement goes, and why, without asking any server."""
    from proxy.explain import explained, explanation
    from proxy.session.shared.configured import rules_of

    try:
        settings = load_settings(config, {}, {})
    except ManyreadsError as error:
        print(f"manyreads: {error}", file=sys.stderr)
        raise typer.Exit(USAGE_ERROR) from None
    rules, readers = rules_of(settings.rules), settings.read_functions
    found = explanation(statement, vendor, version, schema, sql_mode, rules=rules, user=user, readers=readers)
    print(explained(found, as_json))


def _leaves(group: BaseExceptionGroup[ManyreadsError]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


if __name__ == "__main__":
    app()
