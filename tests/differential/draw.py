"""What generators draw from: chance, the vendor, and what the sequence has prepared so far."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from tests.differential.steps import Step, query
from topology.servers import Vendor

_T = TypeVar("_T")


@dataclass
class Draw:
    """`parameters` maps the handles in use to the kinds of values that their statements are executed with; those in
    `cursors` are executed with a cursor: MySQL 9.7 sends no end of the rows if that was once so and then is not."""

    random: Random
    vendor: Vendor
    parameters: dict[int, tuple[int, ...]] = field(default_factory=dict)
    cursors: set[int] = field(default_factory=set)

    @property
    def mariadb(self) -> bool:
        """Whether the servers are MariaDB's."""
        return self.vendor is Vendor.MARIADB

    def one(self, choices: Sequence[_T]) -> _T:
        """One of these."""
        return self.random.choice(choices)

    def some(self, choices: Sequence[_T], most: int = 3) -> list[_T]:
        """One to `most` of these, in any order."""
        return self.random.sample(choices, min(len(choices), self.random.randint(1, most)))

    def chance(self, of: float) -> bool:
        """True in so many of all cases, 0 to 1."""
        return self.random.random() < of


# Makes the steps of one idea; they follow each other unless steps of another idea are put between them.
Generator = Callable[[Draw], Iterator[Step]]


def any_of(*texts: str) -> Generator:
    """A generator of one of these statements."""

    def generate(draw: Draw) -> Iterator[Step]:
        yield query(draw.one(texts))

    return generate
