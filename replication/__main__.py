"""`python -m replication NAME`: the commands of this package under one roof."""

import sys

import typer

from replication.errors import exit_code
from replication.resync import resync
from replication.sandboxing import app as sandbox
from replication.startsync import startsync
from replication.status import status
from replication.switchover import switchover
from replication.verify import verify
from replication.watch import watch
from topology.errors import ManyreadsError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(startsync)
app.command()(status)
app.command()(resync)
app.command()(verify)
app.command()(switchover)
app.command()(watch)
app.add_typer(sandbox, name="sandbox")


@app.callback()
def replication() -> None:
    """Set up replicas of a MySQL or MariaDB primary, look after them, and run servers to try that on."""


def main() -> None:
    """Run the command named in sys.argv."""
    run(app)


def run(application: typer.Typer) -> None:
    """Run the command of `application` named in sys.argv; an error for the user is one message, not a traceback."""
    try:
        application()
    except ManyreadsError as error:
        print(error, file=sys.stderr)
        sys.exit(exit_code(error))


if __name__ == "__main__":
    main()
