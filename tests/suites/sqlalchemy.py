"""SQLAlchemy's suite: pytest, with its own plugin.

Labels are paths below its directory. Those run by default are its MySQL dialect, the suite for dialects, and every
directory whose tests use the database that they are given: engine, sql, orm, ext and base. Left out are the other
vendors' dialects, and the profiling, performance and typing tests, which never connect, or count Python's calls. About
26,000 tests, of which perhaps a third talk to a server; with two workers a side takes 10 to 15 minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from replication.sandbox import Flavor
from tests.suites.outcomes import Outcomes, from_junit
from tests.suites.sources import Sources
from tests.suites.suite import Run, Side

SCHEMAS = ("test", "test_schema", "test_schema_2")


@dataclass(frozen=True)
class SqlAlchemy:
    """The suite over one driver, as SQLAlchemy calls it: mysqldb, pymysql, asyncmy, aiomysql."""

    sources: Sources
    driver: str = "mysqldb"
    name: str = "sqlalchemy"
    labels: Sequence[str] = (
        "test/dialect/mysql",
        "test/dialect/test_suite.py",
        "test/engine",
        "test/sql",
        "test/orm",
        "test/ext",
        "test/base",
    )
    every: Sequence[str] = ("test",)

    def statements(self) -> Sequence[str]:
        """Its README asks for these schemas, and for a server whose collation is this one."""
        made = [f"CREATE DATABASE {schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci" for schema in SCHEMAS]
        dropped = [f"DROP DATABASE IF EXISTS {schema}" for schema in SCHEMAS]
        return ["SET GLOBAL collation_server = utf8mb4_unicode_ci", *dropped, *made]

    def run(self, side: Side, flavor: Flavor, labels: Sequence[str], workers: int, report: Path) -> Run:
        login = f"{quote(side.user)}:{quote(side.password, safe='')}"
        url = f"mysql+{self.driver}://{login}@{side.host}:{side.port}/test?charset=utf8mb4"
        options = ["-p", "no:cacheprovider", "-p", "no:logging", "-q", "-r", "fE", "--tb=short", "--dburi", url]
        command: list[str | Path] = [
            self.sources.python,
            "-m",
            "pytest",
            *options,
            f"-n{workers}",
            f"--junitxml={report}",
            *labels,
        ]
        return Run(command, self.sources.tree("SQLAlchemy"), {})

    def outcomes(self, report: Path) -> Outcomes:
        return from_junit(report.read_text())
