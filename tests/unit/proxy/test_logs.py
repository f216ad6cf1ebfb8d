"""What log lines look like."""

import io
import json
import logging
import sys

import pytest

from proxy.logs import AUDIT, Human, Json, Recent, audit, set_up, told


def line(formatter: logging.Formatter, message: str = "it is", **fields: object) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("a.logger")
    logger.addHandler(handler)
    told(logger, logging.WARNING, message, **fields)
    return stream.getvalue()


def test_people_read_values_behind_the_message() -> None:
    text = line(Human(), user="u", digest='SELECT "a"', seconds=0.5, forged="a\nb", nothing="")
    assert text.endswith(
        'WARNING a.logger: it is user=u digest="SELECT \\"a\\"" seconds=0.5 forged="a\\nb" nothing=""\n'
    )


def test_programs_read_an_object_on_each_line() -> None:
    found = json.loads(line(Json(), user="grün", seconds=0.5, forged="a\nb"))
    assert found.pop("time").endswith("+00:00")
    expected = {"level": "warning", "logger": "a.logger", "message": "it is", "user": "grün", "seconds": 0.5}
    assert found == {**expected, "forged": "a\nb"}


def test_a_traceback_stays_on_its_line() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        record = logging.LogRecord("l", logging.ERROR, "f", 1, "failed: %s", ("x",), sys.exc_info())
    text = Json().format(record)
    assert "\n" not in text
    assert "ValueError: broken" in json.loads(text)["traceback"]
    assert json.loads(text)["message"] == "failed: x"


def test_the_last_lines_are_kept_but_for_those_about_statements() -> None:
    recent = Recent()
    for number in range(150):
        recent.handle(logging.LogRecord("l", logging.INFO, "f", 1, "line %d", (number,), None))
    recent.handle(logging.LogRecord("statements", logging.INFO, "f", 1, "slow", (), None))
    assert len(recent.lines) == 100
    assert recent.lines[-1]["message"] == "line 149"


def test_the_audit_log_is_shown_when_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    try:
        set_up("error", "human", audit=True)
        audit("logged in", user="u")
        set_up("error", "json", audit=False)
        audit("logged out", user="u")
        assert [record.getMessage() for record in caplog.records if record.name == AUDIT.name] == ["logged in"]
        assert len(root.handlers) == len(handlers) + 2
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
