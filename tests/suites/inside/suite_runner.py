"""Django's test runner, which also writes what came of each test; runs in the suites' virtual environment."""

import json
import os
import unittest
from pathlib import Path
from typing import Any

from django.test.runner import DiscoverRunner


class RecordingResult(unittest.TextTestResult):
    """Remembers the outcome of each test; the worst one where a test has several, as one with subtests may."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.outcomes: dict[str, str] = {}

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self.outcomes.setdefault(test.id(), "passed")

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self.outcomes.setdefault(test.id(), "skipped")

    def addFailure(self, test: Any, error: Any) -> None:
        super().addFailure(test, error)
        self.outcomes[test.id()] = "failure"

    def addError(self, test: Any, error: Any) -> None:
        super().addError(test, error)
        self.outcomes[test.id()] = "error"

    def addExpectedFailure(self, test: Any, error: Any) -> None:
        super().addExpectedFailure(test, error)
        self.outcomes[test.id()] = "expected failure"

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self.outcomes[test.id()] = "unexpected success"

    def addSubTest(self, test: Any, subtest: Any, error: Any) -> None:
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.outcomes[test.id()] = "failure" if issubclass(error[0], test.failureException) else "error"


class RecordingRunner(DiscoverRunner):
    """Writes the outcomes to $MANYREADS_REPORT as one JSON object."""

    def get_resultclass(self) -> type[RecordingResult]:
        return RecordingResult

    def run_suite(self, suite: Any, **options: Any) -> Any:
        result = super().run_suite(suite, **options)
        Path(os.environ["MANYREADS_REPORT"]).write_text(json.dumps(result.outcomes))
        return result
