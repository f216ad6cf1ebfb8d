"""What the program has to know of a suite."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from replication.sandbox import Flavor
from tests.suites.outcomes import Outcomes


@dataclass(frozen=True)
class Side:
    """Where one run connects to: the primary, or the proxy."""

    name: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Run:
    """A command, where it runs, and the variables that it has beside ours."""

    command: Sequence[str | Path]
    directory: Path
    environment: dict[str, str] = field(repr=False)


class Suite(Protocol):
    """One suite. `labels` are those that it runs unless told otherwise, and `every` stands for all that it has."""

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> Sequence[str]: ...

    @property
    def every(self) -> Sequence[str]: ...

    def statements(self) -> Sequence[str]:
        """What the primary is told before each run, so that all runs begin alike."""

    def run(self, side: Side, flavor: Flavor, labels: Sequence[str], workers: int, report: Path) -> Run:
        """The command that runs the labels and writes `report`."""

    def outcomes(self, report: Path) -> Outcomes:
        """What the report says."""
