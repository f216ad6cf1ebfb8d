"""`python -m tests.differential`: many random sequences, until one number of them is done."""

import secrets
import sys
from typing import Annotated, Final

import typer

from replication.sandbox import Flavor
from tests.differential.run import POOL, Differential, Finding, Outcome
from tests.differential.taking import OPTIONS
from tests.support.clusters import TRUSTING, replicating_cluster
from tests.support.proxies import running_proxy

# With a thread of another connection MariaDB gives a new one what FOUND_ROWS() was there.
FRESH_THREADS: Final = {"thread_cache_size": "0"}


def main(
    flavor: Annotated[list[Flavor] | None, typer.Option(help="Whose servers; repeat for more. Both if none.")] = None,
    sequences: Annotated[int, typer.Option(min=1, help="How many sequences.")] = 10_000,
    seed: Annotated[int | None, typer.Option(help="Of which they are drawn; printed if it is not given.")] = None,
    sequence: Annotated[int | None, typer.Option(help="Play only the sequence of this number.")] = None,
    sessions: Annotated[int, typer.Option(min=0, help="Other sessions at work meanwhile.")] = 20,
    places: Annotated[int, typer.Option(min=1, help="Sequences at the same time.")] = 2,
    shrink: Annotated[int, typer.Option(min=0, help="So many of those that differ are shortened.")] = 20,
    taking: Annotated[
        bool, typer.Option(help="Short sequences; another session takes all connections before most steps.")
    ] = False,
    proxy: Annotated[list[str] | None, typer.Option(help="A further argument of the proxy; repeat for more.")] = None,
) -> None:
    """Run each sequence on a server and through the proxy, and compare after each step. Fails at any difference."""
    chosen = secrets.randbelow(1 << 32) if seed is None else seed
    numbers = range(sequences) if sequence is None else range(sequence, sequence + 1)
    failed = False
    for one in flavor or list(Flavor):
        print(f"{one}: --seed {chosen}", flush=True)
        with (
            replicating_cluster(one, 2, TRUSTING | FRESH_THREADS) as cluster,
            running_proxy(cluster, *(OPTIONS if taking else POOL), *(proxy or ())) as running,
        ):
            differential = Differential(cluster, running, chosen, sessions=sessions, places=places, taking=taking)
            try:
                differential.run(numbers, shrink, _show)
            finally:
                # Also of a run that is broken off.
                print(_summary(differential.outcome), flush=True)
            failed = failed or bool(differential.outcome.findings) or "Traceback" in running.log
            if "Traceback" in running.log:
                print(running.log)
    sys.exit(failed)


def _show(finding: Finding) -> None:
    print(finding, flush=True)


def _summary(outcome: Outcome) -> str:
    on_replicas = sum(count for name, count in outcome.reads.items() if name != "dbwrite")
    reads = sum(outcome.reads.values())
    share = f"{on_replicas / reads:.0%}" if reads else "an unknown share"
    ways = ", ".join(f"{count} {name}" for name, count in outcome.known.most_common())
    return (
        f"{outcome.sequences} sequences of {outcome.steps} steps in {outcome.seconds:.0f} s "
        f"beside {outcome.others or 'uncounted'} statements of others: {len(outcome.findings)} differ, "
        f"{outcome.known.total()} in a known way ({ways or 'none'}); {share} of all SELECTs ran on replicas"
    )


if __name__ == "__main__":
    typer.run(main)
