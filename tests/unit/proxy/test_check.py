"""`check` as a command: which file it looks at."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from proxy.__main__ import app

USABLE = 'writer = "mysql://user:password@primary.example"'


@pytest.fixture
def usable(tmp_path: Path) -> str:
    file = tmp_path / "usable.toml"
    file.write_text(USABLE)
    return str(file)


def checked(*arguments: str, variable: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", *arguments], env={"MANYREADS_CONFIG": variable})
    return result.exit_code, result.output


def test_a_file_is_named_in_either_way(usable: str) -> None:
    answer = (
        0,
        "the settings can be used: writes to dbwrite (primary.example:3306), reads to the replicas that it names\n",
    )
    assert checked(usable) == checked("--config", usable) == checked(variable=usable) == answer
    assert checked(usable, variable="/nowhere") == answer


def test_only_one_is_named(usable: str) -> None:
    code, told = checked(usable, "--config", usable)
    assert (code, "name one file" in told) == (2, True)
