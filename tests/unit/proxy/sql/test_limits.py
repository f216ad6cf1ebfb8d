"""Texts that would crash the parser, or keep it busy for seconds, never reach it."""

import time

import pytest

from proxy.sql.classify import MAX_PARSED
from proxy.sql.limits import MAX_DEPTH, MAX_OPEN_JOINS
from proxy.sql.statement import Kind
from tests.support.statements import classified


@pytest.mark.parametrize(
    "begin", ["SELECT * FROM ", "SELECT * FROM t JOIN ", "SELECT ", "USE ", "SET ", "SET @a = ", ""]
)
@pytest.mark.parametrize("unit", ["(", "( ", "(t JOIN ", "(SELECT * FROM ", "[", "{"])
def test_deep_nesting_is_not_parsed(begin: str, unit: str) -> None:
    text = begin + unit * ((MAX_PARSED - len(begin)) // len(unit))
    assert classified(text).kind is Kind.PRIMARY


def test_reasonable_nesting_is_parsed() -> None:
    depth = MAX_DEPTH - 1
    assert classified(b"SELECT " + b"(" * depth + b"1" + b")" * depth).kind is Kind.READ
    assert classified(b"SELECT " + b"(1)," * 1000 + b"1").kind is Kind.READ


@pytest.mark.parametrize("join", [" JOIN t", " LEFT JOIN t", " STRAIGHT_JOIN t", " INNER JOIN t"])
def test_many_joins_without_conditions_are_not_parsed(join: str) -> None:
    began = time.process_time()
    assert classified(f"SELECT * FROM t{join * 1000}").kind is Kind.PRIMARY
    assert time.process_time() - began < 5


def test_many_joins_with_conditions_are_parsed() -> None:
    conditions = " JOIN t ON a = b" * 60 + " LEFT JOIN u USING (a)" * 60 + " JOIN v" * MAX_OPEN_JOINS
    assert classified(f"SELECT * FROM s{conditions}").kind is Kind.READ
