"""Errors of replication as they may be shown: without statements and values."""

import pytest

from replication.facts import Channel


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "Error 'Duplicate entry 'o'Neill' for key 'PRIMARY'' on query. Default database: ''. "
            "Query: 'INSERT INTO app.t VALUES ('secret')'",
            "Error 'Duplicate entry '...' for key 'PRIMARY'' on query. Default database: ''",
        ),
        (
            "Could not execute Write_rows event on table app.t; Duplicate entry '7' for key 't.PRIMARY', "
            "Error_code: 1062",
            "Could not execute Write_rows event on table app.t; Duplicate entry '...' for key 't.PRIMARY', "
            "Error_code: 1062",
        ),
        ("Incorrect integer value: 'secret' for column", "Incorrect integer value: '...' for column"),
        ("syntax to use near 'secret' at line 1", "syntax to use near '...'"),
        ("Table 'app.t' doesn't exist", "Table 'app.t' doesn't exist"),
    ],
)
def test_values_are_left_out(said: str, shown: str) -> None:
    assert Channel("", "h", 1, "1", "Yes", "No", sql_errno=1, sql_error=said).error == f"error 1: {shown}"
