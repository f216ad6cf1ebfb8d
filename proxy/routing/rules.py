"""Rules of the configuration: which reads go elsewhere than they would. None can send a write to a replica."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proxy.sql.digest import digest_id, digest_text
from proxy.sql.hints import NO_HINT, Hint
from proxy.sql.tally import Tally

# So much of a digest's text is looked at.
_MOST_TEXT: Final = 1024
_MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, with its number in the file, from 1. What is None fits everything.

    What it fits may run for `timeout` seconds; 0 for as long as it would otherwise.
    """

    number: int
    user: str | None
    schema: str | None
    digest: str | None
    pattern: re.Pattern[str] | None
    wish: Hint
    timeout: float = 0.0

    def fits(self, user: str, schema: str, digest: str) -> bool:
        """Whether it is about a read with the digest text `digest`, empty if that is not known."""
        return (
            self.user in (None, user)
            and self.schema in (None, schema)
            and (self.digest is None or (digest != "" and digest_id(digest) == self.digest))
            and (self.pattern is None or (digest != "" and bool(self.pattern.search(digest[:_MOST_TEXT]))))
        )

    def covers(self, other: "Rule") -> bool:
        """Whether it fits everything that `other` fits."""
        return (
            self.user in (None, other.user)
            and self.schema in (None, other.schema)
            and self.digest in (None, other.digest)
            and self.pattern in (None, other.pattern)
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What the first rule that fits wants, and its number; 0 when none fits. `timeout` is as in `Rule`."""

    number: int
    wish: Hint
    timeout: float = 0.0


_NONE: Final = Decision(0, NO_HINT)


class Rules:
    """The rules in their order. What was decided is remembered by user, schema and digest."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._known: dict[tuple[str, str, bytes], Decision] = {}

    def decide(self, user: str, schema: str, tally: Tally) -> Decision:
        """What there is to a read of `user` with the default schema `schema`."""
        key = user, schema, tally.key
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = known = self._first(user, schema, digest_text(tally.key))
        return known

    def _first(self, user: str, schema: str, digest: str) -> Decision:
        for rule in self._rules:
            if rule.fits(user, schema, digest):
                return Decision(rule.number, rule.wish, rule.timeout)
        return _NONE

    def warnings(self, replicas: frozenset[str]) -> list[str]:
        """Why some rules do less than they seem to; `replicas` are the names of those that there are."""
        found = []
        for at, rule in enumerate(self._rules):
            earlier = next((one for one in self._rules[:at] if one.covers(rule)), None)
            if earlier is not None:
                found.append(f"rule {rule.number} never decides: rule {earlier.number} fits all that it fits")
            if rule.wish.server and rule.wish.server not in replicas:
                found.append(f"rule {rule.number} names the replica {rule.wish.server!r}, which there is not")
        return found
