"""`python -m proxy explain`, and the digest that it shows."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proxy.__main__ import app


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["SELECT a FROM s.t WHERE b = 'x'"], {"target": "replica", "reason": "read", "reads": ["s.t"]}),
        (["UPDATE t SET a = @v"], {"target": "primary", "reason": "write", "written": ["t"], "variables": ["@v"]}),
        (["CREATE TEMPORARY TABLE t (a INT)"], {"effects": ["pin temp-table t"], "writes": True}),
        (["SELECT 1 /*!50000 FOR UPDATE */", "--version", "9.7.4"], {"reason": "locking-read"}),
        (["SELECT 1 /*! FOR UPDATE */"], {"target": "primary", "reason": "unreadable", "digest": ""}),
        (['SELECT "f"(1)', "--sql-mode", "ANSI_QUOTES"], {"reason": "unknown-function:f"}),
        (["SELECT 'a\\'", "--sql-mode", "NO_BACKSLASH_ESCAPES"], {"reason": "read", "digest": "SELECT ?"}),
        (["SELECT * FROM user", "--schema", "mysql"], {"reason": "server-local"}),
        (["SELECT MD5(a) FROM t", "--vendor", "mariadb"], {"reason": "read"}),
        (["SELECT 1 /* manyreads: foo */"], {"reason": "read", "hint_problems": ["foo"]}),
    ],
)
def test_explanations(arguments: list[str], expected: dict[str, object]) -> None:
    result = CliRunner().invoke(app, ["explain", *arguments, "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout).items() >= expected.items()


def test_an_explanation_for_people() -> None:
    result = CliRunner().invoke(app, ["explain", "CALL p()"])
    assert result.exit_code == 0
    assert "reason         call\n" in result.stdout
    assert "written        any\n" in result.stdout


def test_functions_that_only_read_are_known_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "functions.toml"
    file.write_text('read_functions = ["price_of"]')
    result = CliRunner().invoke(app, ["explain", "SELECT price_of(1)", "--json", "--config", str(file)])
    assert json.loads(result.stdout)["reason"] == "read"
