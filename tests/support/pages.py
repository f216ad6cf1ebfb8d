"""The pages of the documentation as values: blocks in their order, and what a reader would run of them. Pure.

A block says in its first line what it is: `sh` is to be run, `console` too, and shows what it prints; `sql` is for a
client; a language with a name behind it is a file of that name. A vendor's name stands there where it is for one alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
# What runs nothing is `text`.
LANGUAGES = frozenset({"console", "ini", "json", "sh", "sql", "text", "toml"})
_BLOCK = re.compile(r"^( *)```([^\n`]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"^(\$|mysql>) (.*)$")
_VENDORS = ("mariadb", "mysql")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a page, without its indentation; `line` is that of its first line of text."""

    page: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def vendor(self) -> str:
        """Whom it is for; empty for both."""
        return next((word for word in self.words if word in _VENDORS), "")

    @property
    def file(self) -> str:
        """The file that it is the content of; empty for none."""
        return next((word for word in self.words if word not in _VENDORS), "")


@dataclass(frozen=True, slots=True)
class Step:
    """A command, or a statement (`sql`), and the lines that the page shows as what it prints."""

    block: Block
    text: str
    sql: bool = False
    shown: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.block.page}:{self.block.line}: {self.text}"


def name_of(page: Path) -> str:
    """Its path in the checkout."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """All blocks of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        language, *words = match[2].split() or [""]
        content = "".join(line.removeprefix(match[1]) for line in match[3].splitlines(keepends=True))
        line = text.count("\n", 0, match.start()) + 2
        yield Block(name_of(page), line, language, tuple(words), content)


def steps(block: Block) -> Iterator[Step]:
    """What a reader would run of a block, in its order."""
    if block.language == "sh":
        yield from (Step(block, command) for command in _commands(block.text))
    elif block.language == "sql":
        yield from (Step(block, statement, sql=True) for statement in statements(block.text))
    elif block.language == "console":
        yield from _shown(block)


def _commands(text: str) -> Iterator[str]:
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        command = re.sub(r"(^|\s+)# .*$", "", line).strip()
        if command:
            yield command


def statements(text: str) -> Iterator[str]:
    """The statements of a text, without comments of their own lines or behind them."""
    for statement in re.sub(r"--\s.*$", "", text, flags=re.MULTILINE).split(";"):
        if statement.strip():
            yield re.sub(r"\s+", " ", statement).strip()


def _shown(block: Block) -> Iterator[Step]:
    """A prompt begins a command or a statement; what stands below it is what it prints."""
    found: Step | None = None
    for line in block.text.splitlines():
        if match := _PROMPT.match(line):
            if found is not None:
                yield found
            sql = match[1] != "$"
            found = Step(block, match[2].rstrip(";") if sql else match[2], sql)
        elif found is not None:
            found = Step(block, found.text, found.sql, (*found.shown, line))
    if found is not None:
        yield found


def pattern(shown: tuple[str, ...]) -> re.Pattern[str]:
    """What an output has to be like to be as it is shown.

    `...` stands for any lines, and `…` for anything in a line; numbers and the width of gaps may be others.
    """
    return re.compile(r"\s*" + "".join(map(_line, shown)))


def _line(line: str) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*?"
    return "".join(map(_part, re.findall(r"…|\d+|\s+|[^…\d\s]+", line.strip()))) + r"\s*?\n\s*?"


def _part(part: str) -> str:
    if part == "…":
        return ".*?"
    if part.isdecimal():
        return r"\d+"
    return r"[ \t]+" if part.isspace() else re.escape(part)
