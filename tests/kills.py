"""`python -m tests.kills`: set a replica up while something is killed at random, seed by seed, and finish it."""

import random
import sys
from typing import Annotated

import typer

from replication.sandbox import Flavor
from tests.bench.__main__ import Choice
from tests.support.kills import Killing
from tests.support.site import site


def main(
    flavor: Annotated[Choice, typer.Option(help="The servers.")] = Choice.BOTH,
    seeds: Annotated[int, typer.Option(min=1, help="How many.")] = 30,
    seed: Annotated[int | None, typer.Option(help="Only this one.")] = None,
) -> None:
    """Kill the manager, a server or the network at a random moment; the next run has to make an equal replica."""
    first = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    flavors = [Flavor.MARIADB, Flavor.MYSQL] if flavor is Choice.BOTH else [Flavor(flavor.value)]
    for one in flavors:
        with site(one) as place:
            killing = Killing(place)
            print(f"{one}: an undisturbed run takes {killing.seconds:.1f} s", flush=True)
            for each in range(first, first + (seeds if seed is None else 1)):
                print(f"{one}: seed {each}", end="\r", file=sys.stderr, flush=True)
                print(f"{one}: {killing.run(each)}", flush=True)


if __name__ == "__main__":
    typer.run(main)
