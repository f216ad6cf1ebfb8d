"""Metrics of several processes as those of one. Pure."""

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import Metric

_COUNTING: Final = frozenset({"counter", "histogram"})
# What the parent knows for all: about servers, and of itself.
_OF_PARENT: Final = frozenset(
    "manyreads_build manyreads_server_role manyreads_server_state manyreads_server_lag_seconds manyreads_server_fresh "
    "manyreads_server_circuit manyreads_server_split manyreads_primary_in_doubt manyreads_sessions_limit "
    "process_start_time_seconds process_max_fds".split()
)
_HIGHEST: Final = "manyreads_event_loop_late_seconds"

_Key = tuple[str, tuple[tuple[str, str], ...]]


def counted(families: Iterable[Metric]) -> list[Metric]:
    """Those that only grow, which stay true of a process that has ended."""
    return [family for family in families if family.type in _COUNTING]


def levels(families: Iterable[Metric]) -> list[Metric]:
    """The others, which are true of now."""
    return [family for family in families if family.type not in _COUNTING]


def of_parent(families: Iterable[Metric]) -> list[Metric]:
    """What the parent's own metrics tell of the whole proxy."""
    return [family for family in families if family.name in _OF_PARENT or family.name.startswith("process_")]


def summed(own: Iterable[Metric], of_workers: Iterable[Iterable[Metric]]) -> list[Metric]:
    """The parent's `own`, and what can be added up of the workers'."""
    found = {family.name: _copied(family) for family in own}
    for families in of_workers:
        for family in families:
            if family.name not in _OF_PARENT:
                _add(found.setdefault(family.name, _empty(family)), family)
    return list(found.values())


def _empty(family: Metric) -> Metric:
    return Metric(family.name, family.documentation, family.type, family.unit)


def _copied(family: Metric) -> Metric:
    copy = _empty(family)
    copy.samples = list(family.samples)
    return copy


def _add(own: Metric, more: Metric) -> None:
    places: dict[_Key, int] = {
        (sample.name, tuple(sorted(sample.labels.items()))): place for place, sample in enumerate(own.samples)
    }
    for sample in more.samples:
        place = places.get((sample.name, tuple(sorted(sample.labels.items()))))
        if place is None:
            own.samples.append(sample)
            continue
        before = own.samples[place]
        value = max(before.value, sample.value) if own.name == _HIGHEST else before.value + sample.value
        own.samples[place] = before._replace(value=value)
