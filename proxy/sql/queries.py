"""SELECT, WITH, TABLE, VALUES: parsed, and judged by everything that they hold."""

from itertools import pairwise
from typing import Final

from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.tokenizer_core import Token

from proxy.sql.effects import Hold
from proxy.sql.limits import too_complex
from proxy.sql.mentions import into_variables, mentions, plain_lock_calls
from proxy.sql.nodes import READ_ROOTS
from proxy.sql.reads import (
    asks_about_statement_before,
    asks_for_insert_id,
    asks_the_primary,
    calls_any,
    covers,
    reads_tables,
    reason_not_a_read,
    reason_of_calls,
    reason_of_words,
    tables_of,
)
from proxy.sql.statement import INSERT_ID, NO_VARIABLES, Kind, Statement, Tables, primary
from proxy.sql.verdict import Verdict
from proxy.sql.words import Words

_UNKNOWN_FUNCTION: Final = "unknown-function"
_UNTOLD: Final = ("node", "word", "not-a-query")
QUERIES: Final = frozenset({"SELECT", "WITH", "TABLE", "VALUES"})
UNPARSED: Final = "unparsed"
_READS_ANYTHING: Final = Statement(Kind.READ, "read", reads=None, variables=None)
_DIALECT: Final = MySQL()
# These change no data: they lock rows, or ask what only the primary knows.
_HARMLESS: Final = ("locking-read", "server-local", "user-variable", "select-into")


def classify_query(text: str, shown: str, builtins: frozenset[str], readers: frozenset[str]) -> Verdict:
    """The facts about a query; `shown` is its digest. `readers` are functions that may read anything, and only read."""
    if "\ufffd" in shown:
        # Some bytes are white space in one character set and letters in another; inside of strings all are equal.
        return Verdict(_other("not-utf8", text, builtins), alone=True)
    parsed = _parse(text)
    if parsed is None:
        return Verdict(_other(_reason_unparsed(text), text, builtins, Hold(UNPARSED)), alone=True)
    tree, tokens = parsed
    if type(tree).__name__ not in READ_ROOTS:
        return Verdict(_other("not-a-query", text, builtins))
    reading = calls_any(tokens, readers)
    reason = (
        reason_of_calls(text, tokens, builtins, readers)
        or reason_not_a_read(tree, builtins | readers if reading else builtins)
        or reason_of_words(text, tokens)
    )
    if reason:
        return Verdict(_other(reason, text, builtins))
    alone = not reading and not reads_tables(tree)
    if alone and asks_for_insert_id(tokens) and asks_about_statement_before(tree) and "@" not in text:
        return Verdict(Statement(Kind.DIAGNOSTIC, INSERT_ID))
    if asks_the_primary(tokens):
        return _primary_function(text, builtins)
    return Verdict(_read(text, tree, builtins, reading=reading))


def _read(text: str, tree: exp.Expr, builtins: frozenset[str], *, reading: bool) -> Statement:
    """A query without anything that is no read; `reading` says that it calls functions that may read anything."""
    variables = mentions(Words(text), builtins).told_variables() if "@" in text else NO_VARIABLES
    if variables is None:
        return primary("user-variable", writes=False, variables=None)
    if not asks_about_statement_before(tree):
        return _READS_ANYTHING if reading else Statement(Kind.READ, "read", reads=tables_of(tree), variables=variables)
    if reading or reads_tables(tree):
        # What the server before this one has in its tables may be older than what the session must see.
        return primary("diagnostic-with-tables", writes=False, variables=None if reading else variables)
    return Statement(Kind.DIAGNOSTIC, "diagnostic", variables=variables)


def _primary_function(text: str, builtins: frozenset[str]) -> Verdict:
    words = Words(text)
    words.take("SELECT")
    locks = plain_lock_calls(words)
    if locks is not None:
        return Verdict(primary("primary-function", *locks, writes=False), alone=True)
    return Verdict(_other("primary-function", text, builtins))


def _other(reason: str, text: str, builtins: frozenset[str], *holds: Hold) -> Statement:
    """The facts about a query that is no plain read."""
    words = Words(text)
    found = mentions(words, builtins)
    if reason.startswith(_UNKNOWN_FUNCTION):
        found.unknown = found.unknown or reason
    elif reason.startswith(_UNTOLD):
        # Such as NEXT VALUE FOR, whose value the connection keeps.
        holds = (*holds, Hold(reason))
    found.assigned |= into_variables(words)
    return primary(
        reason,
        *found.effects(),
        *holds,
        writes=bool(found.unknown) or not reason.startswith((*_HARMLESS, "primary-function")),
        variables=None if found.unknown else found.told_variables(),
    )


def sources(text: str) -> Tables:
    """The tables that are named in a write, those of its queries among them; None when that may be any."""
    parsed = _parse(text)
    return tables_of(parsed[0]) if parsed is not None and isinstance(parsed[0], exp.DML) else None


def _reason_unparsed(text: str) -> str:
    words = Words(text).upper
    if "INTO" in words:
        return "select-into"
    locks = any(pair in (("FOR", "UPDATE"), ("FOR", "SHARE"), ("LOCK", "IN")) for pair in pairwise(words))
    return "locking-read" if locks else UNPARSED


def _parse(text: str) -> tuple[exp.Expr, list[Token]] | None:
    """The tree and the tokens of one statement; None for what is not understood."""
    try:
        tokens = _DIALECT.tokenize(text)
        if too_complex(tokens) or not covers(text, tokens):
            return None
        trees = _DIALECT.parser().parse(tokens, text)
    except Exception:  # a parser of this size has errors of its own, which are none of the client's
        return None
    return (trees[0], tokens) if len(trees) == 1 and trees[0] is not None else None
