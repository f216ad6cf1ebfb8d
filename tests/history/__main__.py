"""`python -m tests.history`: look for histories that break a promise."""

import secrets
import sys
from typing import Annotated

import typer
from rich.console import Console

from replication.sandbox import Flavor
from tests.history.pauses import CLIENTS, measure, table
from tests.history.run import drawn, flags_of, play
from tests.history.site import history_proxy, history_site


def main(
    flavor: Annotated[list[Flavor] | None, typer.Option(help="Whose servers; repeat for more. Both if none.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Of which faults are drawn, and whether transactions are run again: if it is odd."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=5, help="How long for each vendor.")] = 300,
    quiet: Annotated[
        float, typer.Option(min=0, max=1, help="The share of it in which only replicas have faults.")
    ] = 0.3,
    log: Annotated[bool, typer.Option(help="Print the proxy's log if something is wrong.")] = False,
    proxy: Annotated[list[str] | None, typer.Option(help="A further argument of the proxy; repeat for more.")] = None,
    pauses: Annotated[int, typer.Option(min=0, help="Measure clients' pauses instead, in so many rounds.")] = 0,
) -> None:
    """50 clients work while servers are killed, frozen, cut off and changed. Fails if any promise is broken."""
    if pauses:
        for one in flavor or list(Flavor):
            _measure(one, pauses, *(proxy or ()))
        return
    chosen = secrets.randbelow(1 << 32) if seed is None else seed
    failed = False
    for one in flavor or list(Flavor):
        print(f"{one}: --seed {chosen} --seconds {seconds:g}", flush=True)
        with history_site(one) as site, history_proxy(site, *flags_of(chosen), *(proxy or ())) as running:
            result = play(site, running, chosen, drawn(chosen, seconds, quiet))
            print(f"{one}: {result if result.good else result.details()}", flush=True)
            print(
                f"{one}: {running.log.count('of a transaction run again on')} transactions were run again", flush=True
            )
            if log and not result.good:
                print(running.log)
        failed = failed or not result.good
    sys.exit(failed)


def _measure(flavor: Flavor, rounds: int, *arguments: str) -> None:
    """Print the pauses of clients in so many rounds of each occasion."""
    with history_site(flavor) as site, history_proxy(site, *arguments) as running:
        lines = list(measure(site, running, rounds))
    Console().print(table(f"{flavor}, {CLIENTS} clients, {rounds} rounds", lines))


if __name__ == "__main__":
    typer.run(main)
