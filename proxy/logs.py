"""What log lines look like, and the last of them."""

import json
import logging
import sys
from collections import deque
from datetime import UTC, datetime
from typing import Any, Final, Literal

# Shown whatever `log_level` is, once they are asked for.
AUDIT: Final = logging.getLogger("audit")
STATEMENTS: Final = logging.getLogger("statements")
_OFF: Final = logging.CRITICAL + 1
_MOST_RECENT: Final = 100


def told(logger: logging.Logger, level: int, message: str, **fields: Any) -> None:
    """One line with values of their own: in JSON each under its name, for people behind the message."""
    logger.log(level, message, extra={"fields": fields})


def audit(message: str, **fields: Any) -> None:
    """What an auditor wants to know."""
    told(AUDIT, logging.INFO, message, **fields)


class Human(logging.Formatter):
    """Time, level, name: message key=value."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without a traceback."""
        fields = getattr(record, "fields", {})
        return " ".join([super().formatMessage(record), *(f"{key}={_shown(value)}" for key, value in fields.items())])


def _shown(value: object) -> str:
    text = str(value)
    return text if text and not set(text) & set(' "=\\') and text.isprintable() else json.dumps(text)


class Json(logging.Formatter):
    """One JSON object per line: `time` (ISO 8601, UTC), `level`, `logger`, `message`, and the fields of that event."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class Recent(logging.Handler):
    """Keeps the last lines in memory, for people who look at the dashboard; not those about single statements."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: deque[dict[str, Any]] = deque(maxlen=_MOST_RECENT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        if record.name != STATEMENTS.name:
            at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
            self.lines.append({"at": at, "level": record.levelname.lower(), "message": record.getMessage()})


RECENT: Final = Recent()
_STDERR: Final = logging.StreamHandler(sys.stderr)


def set_up(level: str, log_format: Literal["human", "json"], *, audit: bool) -> None:
    """How and what is logged from now on. Safe to call again."""
    _STDERR.setFormatter(Json() if log_format == "json" else Human())
    root = logging.getLogger()
    for handler in (_STDERR, RECENT):
        if handler not in root.handlers:
            root.addHandler(handler)
    root.setLevel(level.upper())
    STATEMENTS.setLevel(logging.INFO)
    AUDIT.setLevel(logging.INFO if audit else _OFF)
