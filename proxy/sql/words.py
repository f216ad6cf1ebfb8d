"""The words of a statement that is no query, for reading its beginning: which tables, which names, which calls.

Works on texts without comments, with literals or with the marks that stand for them in digests.
"""

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"""
      `(?:[^`]|``)*+`?
    | '(?:[^'\\]|\\.|'')*+'?
    | "(?:[^"\\]|\\.|"")*+"?
    | @(?:[\w.$]++|`(?:[^`]|``)*+`|'(?:[^'\\]|\\.|'')*+'|"(?:[^"\\]|\\.|"")*+"|\0)
    | @@ | :=
    | (?:\d++(?:\.\d*+)?(?:[eE][+-]?\d++)?|\.\d++)(?![\w$])
    | [\w$]++
    | [^\ \t\n\v\f\r]
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN_NAME: Final = re.compile(r"[\w$]+")
MARK: Final = "\0"


class Words:
    """A text cut into words, and a place in it. `upper` is for comparisons: a quoted name never equals a keyword."""

    __slots__ = ("_starts", "_text", "at", "texts", "upper")

    def __init__(self, text: str) -> None:
        matches = list(_TOKEN.finditer(text))
        self.at = 0
        self.texts: list[str] = [match[0] for match in matches]
        self.upper = [word.upper() for word in self.texts]
        self._text = text
        self._starts = [match.start() for match in matches]

    def glued(self, at: int) -> bool:
        """Whether nothing stands between word number `at` and the one before it."""
        return at > 0 and self._starts[at - 1] + len(self.texts[at - 1]) == self._starts[at]

    def text_from(self, at: int) -> str:
        """The text from word number `at` on."""
        return self._text[self._starts[at] :] if at < len(self._starts) else ""

    def join(self, at: int) -> None:
        """Make one word of number `at` and the one before it."""
        self.texts[at - 1] += self.texts.pop(at)
        self.upper[at - 1] += self.upper.pop(at)
        del self._starts[at]

    def part(self, first: int, last: int) -> "Words":
        """The words from number `first` up to, but without, number `last`."""
        if first >= last:
            return Words("")
        return Words(self._text[self._starts[first] : self._starts[last - 1] + len(self.texts[last - 1])])

    @property
    def over(self) -> bool:
        """Whether all words were taken."""
        return self.at >= len(self.texts)

    def peek(self, ahead: int = 0) -> str:
        """The next word, or one behind it, in upper case; empty at the end."""
        at = self.at + ahead
        return self.upper[at] if at < len(self.upper) else ""

    def take(self, *words: str) -> bool:
        """Step over these words, if they are the next ones."""
        if self.upper[self.at : self.at + len(words)] != list(words):
            return False
        self.at += len(words)
        return True

    def take_any(self, *words: str) -> str:
        """Step over the next word if it is one of these, and return it."""
        word = self.peek()
        if word not in words:
            return ""
        self.at += 1
        return word

    def skip(self, *words: str) -> None:
        """Step over all words that follow and are one of these."""
        while self.peek() in words:
            self.at += 1

    def name(self) -> str:
        """Step over one identifier and return it; empty when there is none."""
        if self.over:
            return ""
        name = unquoted_name(self.texts[self.at])
        if name:
            self.at += 1
        return name

    def table(self) -> tuple[str, str] | None:
        """Step over `table` or `schema.table`; the schema is empty when it is not said."""
        first = self.name()
        if not first or self.peek() != ".":
            return ("", first) if first else None
        self.at += 1
        second = self.name()
        return (first, second) if second else None

    def rest(self) -> list[str]:
        """The words that were not taken yet."""
        return self.texts[self.at :]


def unquoted_name(word: str) -> str:
    """The identifier that a word is, without its backquotes; empty for anything else, and for one not of UTF-8."""
    if "\ufffd" in word:
        return ""
    if word.startswith("`"):
        return word[1:-1].replace("``", "`") if len(word) > 2 and word.endswith("`") else ""
    return word if _PLAIN_NAME.fullmatch(word) else ""


def variable_name(word: str) -> str:
    """The user variable that a word such as `@v` names, in lower case; empty for one whose name is a string."""
    name = word[1:]
    if name[:1] == "`":
        name = "" if "``" in name else name[1:-1]
    return "" if name[:1] in ("", "'", '"', MARK) or "\ufffd" in name else name.lower()
