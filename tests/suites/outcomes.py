"""What came of each test, and how two runs differ. Pure."""

import json
from collections import Counter
from collections.abc import Mapping
from xml.etree import ElementTree

Outcomes = Mapping[str, str]

_RANKS = ("passed", "skipped", "failure", "error")


def from_junit(text: str) -> Outcomes:
    """The outcome of each test of a JUnit report, "class::name" as its key; the worst where one has several."""
    outcomes: dict[str, str] = {}
    for case in ElementTree.fromstring(text).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        found = [child.tag for child in case if child.tag in _RANKS]
        outcomes[name] = max([*found, outcomes.get(name, "passed")], key=_RANKS.index)
    return outcomes


def from_json(text: str) -> Outcomes:
    """The outcome of each test of a JSON object of names and outcomes."""
    found = json.loads(text)
    return {str(name): str(outcome) for name, outcome in found.items()}


def differences(without: Outcomes, through: Outcomes) -> list[str]:
    """A line for each test that did not end the same way on both sides, or was there on one only."""
    return [
        f"{name}: {without.get(name, 'not run')} without the proxy, {through.get(name, 'not run')} through it"
        for name in sorted(without.keys() | through.keys())
        if without.get(name) != through.get(name)
    ]


def summary(outcomes: Outcomes) -> str:
    """How many tests ended how, the most frequent first."""
    return ", ".join(f"{count} {outcome}" for outcome, count in Counter(outcomes.values()).most_common())


def failed(outcomes: Outcomes) -> int:
    """How many tests did not end as they should."""
    return sum(outcome in ("failure", "error", "unexpected success") for outcome in outcomes.values())
