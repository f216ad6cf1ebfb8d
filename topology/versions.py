"""Comparing the version strings of server greetings. Pure."""

import re

_NUMBER = re.compile(r"(?:5\.5\.5-)?(\d+)\.(\d+)")


def is_older(one: str, other: str) -> bool:
    """Whether `one` is of an older series (major and minor number) than `other`. MariaDB may put 5.5.5- before its."""
    first, second = _series(one), _series(other)
    return first is not None and second is not None and first < second


def _series(version: str) -> tuple[int, int] | None:
    match = _NUMBER.match(version)
    return None if match is None else (int(match[1]), int(match[2]))
