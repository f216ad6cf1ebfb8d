"""Counting transactions that went from a replica to the primary."""

from dataclasses import dataclass


@dataclass(slots=True)
class Promotions:
    """How many there were in the whole process, and how many of them found other rows there."""

    begun: int = 0
    in_vain: int = 0
