"""Every command of ours that a page of the documentation shows is one that there is, with options that it has.

tests/integration/test_documented_walks.py runs those in blocks; what is within a line is the name of one of these.
"""

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

from tests.support.pages import LANGUAGES, PAGES, ROOT, Block, blocks, name_of, pattern, statements, steps

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
    found = {(name_of(page), command) for page in PAGES for command in commands(page.read_text(encoding="utf-8"))}
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


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_block_says_what_it_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = list(blocks(page))
    assert {block.language for block in found} <= LANGUAGES
    assert len(found) * 2 == len(re.findall(r"^ *```", text, re.MULTILINE))
    # Blocks that are only indented say nothing.
    outside = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"\n\n {4}\S.*", outside) == []


def test_what_is_named_within_a_line_is_run_in_a_block() -> None:
    shown = [step for page in PAGES for block in blocks(page) for step in steps(block) if not step.sql]
    run = {_unified(words) for step in shown for words in commands(step.text)}
    named = {_unified(words) for _, words in documented() if not {"--help", "--version"} & set(words)}
    assert named - run - {"replication", "--install-completion"} == set()


def _unified(words: tuple[str, ...]) -> str:
    """A command's name: that of the kit's module, or of the proxy's command."""
    if words[0] == "manyreads":
        return words[2] if words[1] == "replication" and len(words) > 2 else words[1]
    if words[0].startswith("replication."):
        return words[0].partition(".")[2]
    named = words[1:2] if words[0] == "proxy" and words[1:] and words[1] in _SUBCOMMANDS["proxy"] else ()
    return named[0] if named else "run" if words[0] == "proxy" else words[0]


def test_targets_that_are_named_are_there() -> None:
    found = re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)[^`\n]*`", "\n".join(map(_text, PAGES)), re.MULTILINE)
    known = set(re.findall(r"^([a-z-]+):", _text(ROOT / "Makefile"), re.MULTILINE))
    assert {"demo", "test"} <= {one or other for one, other in found} <= known


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


LINKS = [
    (name_of(page), link)
    for page in (*PAGES, ROOT / "CHANGELOG.md")
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    if not link.startswith("http")
]


@pytest.mark.parametrize(("name", "link"), LINKS, ids=str)
def test_links_lead_somewhere(name: str, link: str) -> None:
    page = next(page for page in (*PAGES, ROOT / "CHANGELOG.md") if name_of(page) == name)
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    assert target.exists()
    if anchor:
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_files_that_are_named_are_there() -> None:
    kinds = (
        r"(?:deploy|docs|tests|tools|dbmanager|proxy|replication|topology|manyreads)/[\w./-]+\.(?:py|md|yaml|json|html)"
    )
    missing = {
        (name_of(page), name)
        for page in PAGES
        for name in re.findall(rf"`({kinds})`", page.read_text(encoding="utf-8"))
        if not (ROOT / name).exists()
    }
    assert missing == set()


def block(language: str, text: str) -> Block:
    return Block("page", 1, language, (), text)


def test_steps_are_what_a_reader_runs() -> None:
    shell = block("sh", "# first\na --b \\\n    --c   # why\nmake x\n")
    assert [step.text for step in steps(shell)] == ["a --b --c", "make x"]
    console = block("console", "$ one\nout\n...\nmysql> SELECT 1;\n| 1 |\n")
    assert [(step.text, step.sql, step.shown) for step in steps(console)] == [
        ("one", False, ("out", "...")),
        ("SELECT 1", True, ("| 1 |",)),
    ]
    assert list(steps(block("text", "$ one\n"))) == []
    assert list(statements("-- why\nGRANT a\n  ON b; -- c\nSET x = 1;\n")) == ["GRANT a ON b", "SET x = 1"]


@pytest.mark.parametrize(
    ("shown", "output", "agrees"),
    [
        (("a 1", "b"), "a 27\n  b  \n", True),
        (("a 1", "b"), "a 27\nc\n", False),
        (("a", "...", "b"), "a\nx\ny\nb\n", True),
        (("a", "..."), "a\nx\ny\n", True),
        (("a", "..."), "x\na\n", False),
        (("a … c",), "a (b) c\n", True),
        (("a",), "a\nb\n", False),
    ],
)
def test_an_output_is_as_it_is_shown(shown: tuple[str, ...], output: str, agrees: bool) -> None:
    assert (pattern(shown).fullmatch(output) is not None) == agrees
