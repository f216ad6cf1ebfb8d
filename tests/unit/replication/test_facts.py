"""Errors of replication as they may be shown, without statements and values, and what they mean."""

from dataclasses import replace

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


STOPPED = Channel("", "h", 1, "1", "No", "No")


@pytest.mark.parametrize(
    ("channel", "damaged"),
    [
        (STOPPED, False),
        (replace(STOPPED, relay_log="relay-bin.000002", relay_log_bytes=974), False),
        (replace(STOPPED, relay_log="relay-bin.000002"), True),
        (replace(STOPPED, relay_log="relay-bin.000002", io_running="Connecting"), False),
        (replace(STOPPED, relay_log="relay-bin.000002", io_running="Yes", sql_running="Yes"), False),
        (replace(STOPPED, relay_log="relay-bin.000002", io_errno=1236), False),
        (replace(STOPPED, relay_log="relay-bin.000002", relay_log_bytes=974, sql_errno=1062), False),
        *((replace(STOPPED, sql_errno=errno, relay_log_bytes=974), True) for errno in (1594, 13121, 1872, 13124)),
    ],
)
def test_a_damaged_relay_log_is_told_from_a_stopped_replica(channel: Channel, damaged: bool) -> None:
    assert channel.relay_log_damaged is damaged
