"""`python -m replication NAME`: the commands of this package under one roof."""

import typer

from replication.sandbox.commands import app as sandbox
from replication.startsync import startsync

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(startsync)
app.add_typer(sandbox, name="sandbox")


@app.callback()
def replication() -> None:
    """Set up replicas of a MySQL or MariaDB primary, and run servers to try that on."""


if __name__ == "__main__":
    app()
