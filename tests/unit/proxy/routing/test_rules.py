"""Rules of the configuration: the first that fits decides, and only about reads."""

from typing import Any

import pytest

from proxy.explain import explanation
from proxy.routing.rules import Rules
from proxy.session.shared.configured import rules_of
from proxy.sql.digest import digest_id, digest_text
from proxy.sql.lexer import digest
from proxy.sql.tally import Tally
from topology.config import ConfiguredRule
from topology.errors import ConfigError
from topology.servers import Vendor
from topology.settings import load_settings

TEXT = b"SELECT a FROM t WHERE b = 1"
ID = digest_id(digest_text(digest(TEXT)))


def made(*rules: dict[str, Any]) -> Rules:
    found = rules_of([ConfiguredRule.model_validate(rule) for rule in rules])
    assert found is not None
    return found


def number(rules: Rules, user: str = "u", schema: str = "s", text: bytes = TEXT) -> int:
    return rules.decide(user, schema, Tally(digest(text))).number


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({}, True),
        ({"user": "u", "schema": "s"}, True),
        ({"user": "other"}, False),
        ({"schema": "other"}, False),
        ({"digest": ID}, True),
        ({"digest": "0" * 16}, False),
        ({"pattern": "from .t`"}, True),
        ({"pattern": "from x"}, False),
        ({"user": "u", "pattern": "from x"}, False),
    ],
)
def test_what_fits(rule: dict[str, Any], fits: bool) -> None:
    assert number(made({**rule, "target": "primary"})) == int(fits)


def test_the_first_decides_and_is_remembered_by_user_schema_and_digest() -> None:
    rules = made({"user": "a", "target": "primary"}, {"pattern": "FROM `t`", "max_lag": "2s"}, {"replica": "R1"})
    assert [number(rules, "a"), number(rules), number(rules, text=b"SELECT 1"), number(rules)] == [1, 2, 3, 2]
    assert rules.decide("u", "s", Tally(digest(b"SELECT 1"))).wish.server == "r1"


def test_a_rule_may_only_say_for_how_long_reads_run() -> None:
    rules = made({"pattern": "FROM `t`", "statement_timeout": "500ms"}, {"replica": "r1", "statement_timeout": "1m"})
    decided = [rules.decide("u", "s", Tally(digest(text))) for text in (TEXT, b"SELECT 1")]
    assert [(one.number, one.timeout, one.wish.decides) for one in decided] == [(1, 0.5, False), (2, 60.0, True)]


def test_of_texts_that_are_not_remembered_only_the_session_counts() -> None:
    rules = made({"pattern": ".", "target": "primary"}, {"user": "u", "target": "primary"})
    assert rules.decide("u", "", Tally(b"")).number == 2
    assert rules.decide("v", "", Tally(b"")).number == 0


def test_warnings_of_rules_that_never_decide() -> None:
    rules = made(
        {"user": "a", "target": "primary"},
        {"user": "a", "schema": "s", "target": "primary"},
        {"schema": "s", "replica": "nobody"},
        {"user": "b", "target": "replica"},
    )
    assert rules.warnings(frozenset({"dbread1"})) == [
        "rule 2 never decides: rule 1 fits all that it fits",
        "rule 3 names the replica 'nobody', which there is not",
    ]


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"user": "u"},
        {"target": "elsewhere"},
        {"target": "primary", "replica": "r"},
        {"target": "replica", "digest": "abc"},
        {"target": "replica", "pattern": "("},
        {"target": "replica", "pattern": ""},
        {"consistency": "total"},
        {"max_lag": "5"},
        {"target": "primary", "unknown": "x"},
    ],
)
def test_errors_name_the_rule(rule: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"rules\.1"):
        load_settings(None, {}, {"rules": [{"target": "primary"}, rule]})


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.routing.rules._MOST_REMEMBERED", 2)
    rules = made({"user": "a", "target": "primary"})
    assert [number(rules, user) for user in ("a", "b", "c", "a", "b")] == [1, 0, 0, 1, 0]


def test_no_rules_are_nothing() -> None:
    assert rules_of(()) is None


@pytest.mark.parametrize(
    ("text", "target", "rule"),
    [
        ("SELECT 1", "primary", "1"),
        ("SELECT /* manyreads: replica */ 1", "replica", ""),
        ("INSERT INTO t VALUES (1)", "primary", ""),
    ],
)
def test_offline(text: str, target: str, rule: str) -> None:
    rules = made({"user": "u", "target": "primary"})
    told = explanation(text, Vendor.MYSQL, "9.0.0", "", "", rules=rules, user="u")
    assert (told["target"], told["rule"]) == (target, rule)


def test_a_rule_sends_no_write_to_a_replica() -> None:
    rules = made({"replica": "dbread1", "consistency": "eventual"})
    for text in ("INSERT INTO t VALUES (1)", "SELECT f()", "SELECT 1 FOR UPDATE", "SET a = 1", "BEGIN"):
        told = explanation(text, Vendor.MYSQL, "9.0.0", "", "", rules=rules)
        assert (told["target"], told["rule"]) == ("primary", "")
