"""Every command of ours that a page of the documentation shows is one that there is, with options that it has."""

import contextlib
import io
import re
import runpy
import shlex
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
# In a block, or within a line; what follows a comment sign or a pipe is another matter.
_COMMAND = re.compile(
    r"^\s*(?:\$ )?(?:\w+=\S+ )*(?:\S*/)?(?:python3? -m (?P<module>(?:proxy|replication|manyreads|tests)[\w.]*)"
    r"|manyreads(?= [a-z-]))(?P<rest>[^\n]*)",
    re.MULTILINE,
)
_INLINE = re.compile(r"`([^`\n]+)`")
_END = {"|", "&&", ";", "&", "#", ">", "2>"}
_GROUPS = {"manyreads": {"run", "check", "config", "doctor", "explain", "replication", "top"}}
_SUBCOMMANDS = {"proxy": {"check", "config", "explain"}, "replication.sandbox": {"up", "down"}}


def commands(text: str) -> Iterator[tuple[str, ...]]:
    """Each as the words behind `python -m`, without what a shell would do with its output."""
    joined = re.sub(r"\\\n\s*", " ", text)
    inline = "\n".join(match[1] for match in _INLINE.finditer(joined))
    for match in _COMMAND.finditer(f"{joined}\n{inline}"):
        try:
            words = shlex.split(match["rest"], comments=True)
        except ValueError:
            # The beginning of a sentence with an apostrophe.
            continue
        end = next((at for at, word in enumerate(words) if word in _END), len(words))
        yield (match["module"] or "manyreads", *words[:end])


def documented() -> list[tuple[str, tuple[str, ...]]]:
    """By page; NAME stands for any of the kit's commands."""
    found = {(page.name, command) for page in PAGES for command in commands(page.read_text(encoding="utf-8"))}
    return sorted((page, words) for page, words in found if not words[-1].endswith("NAME"))


def help_of(module: str, *words: str) -> str:
    """Run here, not in a process of its own: most of the time would go into imports."""
    told = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(told), warnings.catch_warnings():
        # A module that another one has imported is run once more.
        warnings.simplefilter("ignore", RuntimeWarning)
        patch.setenv("COLUMNS", "300")
        patch.setenv("NO_COLOR", "1")
        patch.setenv("TERM", "dumb")
        patch.setattr(sys, "argv", [module, *words, "--help"])
        with pytest.raises(SystemExit) as caught:
            runpy.run_module(module, run_name="__main__")
    assert not caught.value.code, (module, words)
    return told.getvalue()


def command_of(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words up to the subcommand, of which `--help` tells the options."""
    module, *rest = words
    if module == "manyreads" and rest[:1] == ["replication"]:
        return (f"replication.{rest[1]}",)
    known = _GROUPS.get(module, set()) | _SUBCOMMANDS.get(module, set())
    return (module, rest[0]) if rest and rest[0] in known else (module,)


@pytest.mark.parametrize(("page", "words"), documented(), ids=str)
def test_it_is_there_and_knows_the_options(page: str, words: tuple[str, ...]) -> None:
    command = command_of(words)
    assert command != ("manyreads",) or all(word.startswith("--") for word in words[1:]), f"{words} is no command"
    known = set(re.findall(r"--[a-z][\w-]*", help_of(*command)))
    used = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
    assert used <= known, f"{page}: {' '.join(words)}"


def test_commands_are_found() -> None:
    assert len(documented()) > 25
    found = list(
        commands("a `manyreads doctor --json` b\n$ python -m proxy --writer x \\\n    --tls off | cat # --no\n")
    )
    assert found == [("proxy", "--writer", "x", "--tls", "off"), ("manyreads", "doctor", "--json")]
