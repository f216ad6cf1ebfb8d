"""One span, and who sends it, in words that need no OpenTelemetry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

Attributes: TypeAlias = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Parent:
    """The span of the client that a statement belongs to; `sampled` says that the client's trace is recorded."""

    trace: int
    span: int
    sampled: bool


@dataclass(frozen=True, slots=True)
class Event:
    """What happened within a span, and when: nanoseconds since 1970."""

    name: str
    at: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """A statement from `begin` to `end`, in nanoseconds since 1970. Without `parent` it begins a trace."""

    name: str
    begin: int
    end: int
    failed: bool
    attributes: Attributes
    events: tuple[Event, ...] = ()
    parent: Parent | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of spans so far: taken by the collector, given up after all attempts, or not even queued."""

    sent: int
    failed: int
    dropped: int


class Exporter(Protocol):
    """Sends spans on, without ever waiting."""

    def export(self, span: Span) -> None:
        """Queue one; it is dropped if too many are queued."""

    def counts(self) -> Sent:
        """What became of them."""

    def close(self, within: float) -> None:
        """Send what is queued, for so many seconds at most. Blocks."""
