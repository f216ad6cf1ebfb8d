"""The files for Prometheus and Grafana: their form, and that each expression is one.

Which metrics there are is asked of a running proxy, in tests/integration/test_proxy_http.py.
"""

import json
import re
from typing import Any

import promql_parser
import pytest
import yaml

from tests.support.observing import ALERTS, DASHBOARD, alert_expressions, dashboard_expressions, metrics_in

RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
]
PANELS: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]


@pytest.mark.parametrize("expression", [*alert_expressions(), *dashboard_expressions()])
def test_each_expression_is_one(expression: str) -> None:
    assert metrics_in(expression)


def test_a_wrong_expression_is_found() -> None:
    with pytest.raises(ValueError, match=r"."):
        promql_parser.parse("sum(rate(manyreads_statements_total[5m])")


def test_names_are_found_in_all_parts_of_an_expression() -> None:
    text = 'sum by (le) (rate(a_total{x="y"}[5m])) / on (i) (b == 1) > max_over_time(c[2m:1m]) and -d > vector(1)'
    assert metrics_in(text) == {"a_total", "b", "c", "d"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts_say_for_how_long_and_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Manyreads\w+", rule["alert"])
    assert re.fullmatch(r"\d+[sm]", rule["for"])
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description"}


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)


def test_panels_do_not_overlap_and_say_what_they_show() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not taken & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["type"] == "row" or panel["description"]
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
