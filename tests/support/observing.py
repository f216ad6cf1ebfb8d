"""The files for Prometheus and Grafana, and the expressions in them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import promql_parser
import yaml

_DEPLOY: Final = Path(__file__).parents[2] / "deploy"
ALERTS: Final = _DEPLOY / "prometheus" / "manyreads.yaml"
DASHBOARD: Final = _DEPLOY / "grafana" / "manyreads.json"
# What Grafana puts in their place is text of this form.
_VARIABLES: Final = {"$__rate_interval": "1m", "$instance": ".*"}


def alert_expressions() -> list[str]:
    """Those of the alert rules."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [str(rule["expr"]) for group in groups for rule in group["rules"]]


def dashboard_expressions() -> list[str]:
    """Those of the dashboard's panels, as Prometheus gets them."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [_filled(target["expr"]) for panel in panels for target in panel.get("targets", ())]


def _filled(expression: str) -> str:
    for variable, value in _VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def metrics_in(expression: str) -> set[str]:
    """The names of the metrics that a PromQL expression asks for. Raises ValueError if it is none."""
    return set(_names(promql_parser.parse(expression)))


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, promql_parser.VectorSelector):
        yield str(node.name)
    elif isinstance(node, promql_parser.MatrixSelector):
        yield from _names(node.vector_selector)
    elif isinstance(node, promql_parser.BinaryExpr):
        yield from _names(node.lhs)
        yield from _names(node.rhs)
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from _names(argument)
    elif not isinstance(node, (promql_parser.NumberLiteral, promql_parser.StringLiteral)):
        yield from _names(node.expr)
