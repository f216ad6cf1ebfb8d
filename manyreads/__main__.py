"""`manyreads NAME`: the commands of the proxy and of the replication kit under one roof."""

from typing import Annotated

import typer

from manyreads.doctor import doctor
from manyreads.top import top
from proxy.__main__ import check, config, explain
from proxy.__main__ import main as proxy
from replication.__main__ import app as replication
from replication.__main__ import run

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.command("run")(proxy)
app.command()(check)
app.command()(config)
app.command()(explain)
app.command()(doctor)
app.command()(top)
app.add_typer(replication, name="replication")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"manyreads {version('manyreads')}")
        raise typer.Exit


@app.callback()
def manyreads(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One DSN for a MySQL or MariaDB primary and its replicas."""


def main() -> None:
    """Run the command named in sys.argv."""
    run(app)


if __name__ == "__main__":
    main()
