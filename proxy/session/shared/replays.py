"""Counting transactions whose connection to the primary was lost."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Replays:
    """How many were run again in the whole process, and how many of them gave other results; why others were `not_run`
    again."""

    begun: int = 0
    in_vain: int = 0
    not_run: Counter[str] = field(default_factory=Counter)
