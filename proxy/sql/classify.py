"""Text in, Statement out. Never raises: what cannot be understood is for the primary.

Statements are told apart by their first word; only what may be a plain read, and SET, is parsed.
"""

import logging
import re
from collections.abc import Callable
from typing import Final

from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.tokenizer_core import Token

from proxy.sql.builtins import BUILTINS
from proxy.sql.lexer import MARK, ExecutableComment, digest, strip_comments
from proxy.sql.limits import too_complex
from proxy.sql.nodes import READ_ROOTS
from proxy.sql.reads import (
    asks_about_statement_before,
    asks_the_primary,
    covers,
    reads_tables,
    reason_not_a_read,
    reason_of_calls,
    reason_of_words,
)
from proxy.sql.settings import classify_set
from proxy.sql.statement import Kind, Statement, primary
from topology.servers import Vendor

# sqlglot logs the text of what it cannot parse; statements hold other people's data.
logging.getLogger("sqlglot").disabled = True

# Parsing takes about half a microsecond a byte and happens on the event loop.
MAX_PARSED: Final = 32 * 1024
_DIALECT: Final = MySQL()
# Servers remove this from both ends before they look at a text.
_GARBAGE: Final = b"; \t\n\v\f\r"
UNPARSED: Final = "unparsed"
# Reasons that a text with the same digest need not share: an open quote, or bytes in a literal, can be the cause.
UNCLEAR: Final = frozenset({UNPARSED, "set-unknown", "not-utf8"})

READ: Final = Statement(Kind.READ, "read")
_DIAGNOSTIC: Final = Statement(Kind.DIAGNOSTIC, "diagnostic")
_TRANSACTION: Final = Statement(Kind.TRANSACTION, "transaction")
_WRITE: Final = primary("write")
_EMPTY: Final = primary("empty", writes=False)

_FIRST_WORD: Final = re.compile(r"[\s(;]*([A-Za-z_]+)")
_BACKQUOTED: Final = re.compile(rb"`(?:[^`]|``)*+`")
_TEMPORARY: Final = re.compile(r"\s*CREATE\s+(OR\s+REPLACE\s+)?TEMPORARY\b", re.IGNORECASE)
_STORED_PROGRAM: Final = re.compile(
    r"\s*(CREATE|ALTER)\b[^(;]*?\b(PROCEDURE|FUNCTION|TRIGGER|EVENT|PACKAGE)\b", re.IGNORECASE
)
_GLOBAL_LOCK: Final = re.compile(r"\bREAD\s+LOCK\b|\bFOR\s+EXPORT\b", re.IGNORECASE)
_REPLICATION: Final = re.compile(r"\s*START\s+(SLAVE|REPLICA|ALL|GROUP)", re.IGNORECASE)
_COMPOUND: Final = re.compile(r"\s*BEGIN\s+(?!WORK\b)\w", re.IGNORECASE)
_SET_ROLE: Final = re.compile(r"\s*SET\s+ROLE\s+[\w`'\"@.,%\s]+\Z", re.IGNORECASE)
_EXPLAIN: Final = re.compile(
    r"\s*(?:EXPLAIN|DESCRIBE|DESC)\s+(?:(?:EXTENDED|PARTITIONS|FORMAT\s*=\s*\w+)\s+)?(.*)", re.IGNORECASE | re.DOTALL
)
_USE: Final = re.compile(r"\s*USE(?:\s+(?P<plain>[\w$]+)|\s*`(?P<quoted>(?:[^`]|``)+)`)\s*\Z", re.IGNORECASE)
_TABLE_NAME: Final = re.compile(r"(?:`[^`]+`|\w+)(?:\.(?:`[^`]+`|\w+))?(?:\s+(?:`[^`]+`|\w+|'[^']*'))?\s*;?\s*\Z")
_SHOW: Final = re.compile(
    r"""\s*SHOW\s+(?:(?:FULL|EXTENDED)\s+)*(?:
        (?P<diagnostic>(?:COUNT\s*\(\s*\*\s*\)\s+)?(?:WARNINGS|ERRORS))\b
      | (?P<read>DATABASES|SCHEMAS|TABLES|TABLE\s+STATUS|COLUMNS|FIELDS|INDEX|INDEXES|KEYS|TRIGGERS|COLLATION
          |CHARACTER\s+SET|CHARSET|ENGINES|STORAGE\s+ENGINES|PRIVILEGES|PLUGINS|PROCEDURE\s+STATUS|FUNCTION\s+STATUS
          |CREATE\s+(?:TABLE|VIEW|DATABASE|SCHEMA|PROCEDURE|FUNCTION|TRIGGER))\b
    )""",
    re.IGNORECASE | re.VERBOSE,
)

_EXPRESSION: Final = re.compile(rb"[(@]")
_WRITES: Final = """
    INSERT UPDATE DELETE REPLACE LOAD ALTER DROP TRUNCATE RENAME GRANT REVOKE ANALYZE OPTIMIZE REPAIR CHECK
    CHECKSUM PURGE CHANGE INSTALL UNINSTALL IMPORT STOP RESET CACHE SIGNAL RESIGNAL
"""
_PINNING: Final = {
    "CALL": "procedure",
    "LOCK": "table-locks",
    "PREPARE": "text-prepare",
    "EXECUTE": "text-prepare",
    "DEALLOCATE": "text-prepare",
    "HANDLER": "handler",
    "XA": "xa",
    "BINLOG": "binlog",
    "BACKUP": "backup-stage",
}


class Classifier:
    """Classifies texts for servers of one vendor."""

    def __init__(self, vendor: Vendor) -> None:
        self._builtins = BUILTINS[vendor]
        self._by_word: dict[str, Callable[[str], Statement]] = {
            **dict.fromkeys(_WRITES.split(), _write),
            **{word: _pinning(word.lower(), pin) for word, pin in _PINNING.items()},
            **dict.fromkeys(("COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"), lambda _: _TRANSACTION),
            **dict.fromkeys(("SELECT", "WITH", "TABLE", "VALUES"), self._query),
            **dict.fromkeys(("EXPLAIN", "DESCRIBE", "DESC"), self._explain),
            "BEGIN": _begin,
            "START": _start,
            "CREATE": _create,
            "DO": lambda _: primary("do"),
            "FLUSH": _flush,
            "KILL": lambda _: primary("kill", writes=False),
            "SET": _set,
            "SHOW": _show,
            "UNLOCK": lambda _: primary("unlock"),
            "USE": _use,
        }

    def classify(self, stripped: bytes) -> Statement:
        """The facts about a text from which comments were taken (`proxy.sql.lexer.strip_comments`)."""
        if len(stripped) > MAX_PARSED:
            return self._large(stripped)
        stripped = stripped.strip(_GARBAGE)
        text = stripped.decode("utf-8", "replace")
        if "\ufffd" in text and not digest(stripped).isascii():
            # Some bytes are white space in one character set and letters in another; inside of strings all are equal.
            return primary("not-utf8", "not-utf8")
        if b";" in stripped and (parts := _parts(stripped)) and len(parts) > 1 and not _STORED_PROGRAM.match(text):
            return self._several(parts)
        return self._one(text)

    def _one(self, text: str) -> Statement:
        word = _FIRST_WORD.match(text)
        if word is None:
            return _EMPTY if not text.strip(" \t\r\n;\0") else primary("unknown", "unknown-statement")
        classify = self._by_word.get(word[1].upper())
        return classify(text) if classify else primary("unknown", "unknown-statement")

    def _large(self, text: bytes) -> Statement:
        # Too large to look at in full: judged by its first word, and a read is not taken for one. A semicolon may be
        # in a string or begin another statement.
        word = _FIRST_WORD.match(text[:64].decode("ascii", "replace"))
        known = word is not None and word[1].upper() in (*_WRITES.split(), "SELECT", "WITH")
        return primary("too-large", "" if known and _is_alone(text) else "unknown-statement")

    def _several(self, parts: list[bytes]) -> Statement:
        judged = [self._one(part.decode("utf-8", "replace")) for part in parts]
        if all(statement.kind is Kind.READ for statement in judged):
            return READ
        free = all(not statement.pin and statement.kind is not Kind.SESSION for statement in judged)
        return primary("multi-statement", "" if free else "multi-statement")

    def _query(self, text: str) -> Statement:
        parsed = _parse(text)
        if parsed is None:
            return primary(UNPARSED)
        tree, tokens = parsed
        if type(tree).__name__ not in READ_ROOTS:
            return primary("not-a-query")
        return self._judge(text, tree, tokens)

    def _judge(self, text: str, tree: exp.Expr, tokens: list[Token]) -> Statement:
        reason = (
            reason_of_calls(text, tokens, self._builtins)
            or reason_not_a_read(tree, self._builtins)
            or reason_of_words(text, tokens)
        )
        if reason:
            # A locking read or a server's own table changes nothing; a function that is not known may.
            return primary(reason, writes=reason.startswith(("unknown-function", "node", "word", "select-into")))
        if asks_the_primary(tokens):
            return primary("primary-function", writes=False)
        if not asks_about_statement_before(tree):
            return READ
        # What the server before this one has in its tables may be older than what the session must see.
        return primary("diagnostic-with-tables", writes=False) if reads_tables(tree) else _DIAGNOSTIC

    def _explain(self, text: str) -> Statement:
        inner = _EXPLAIN.match(text)
        if inner is None:
            return primary("explain", writes=False)
        if _TABLE_NAME.match(inner[1]):
            return READ
        explained = self._one(inner[1])
        if explained.reason in UNCLEAR:
            return explained
        return READ if explained.kind is Kind.READ else primary("explain", writes=explained.writes)


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


def _is_alone(text: bytes) -> bool:
    if b";" not in text.rstrip(b"; \t\r\n"):
        return True
    try:
        return len(_parts(strip_comments(text))) == 1
    except ExecutableComment:
        return False


def _parts(stripped: bytes) -> list[bytes]:
    # The digest has no literals left, so a semicolon in it ends a statement or is part of an odd identifier.
    key = digest(stripped)
    parts = key.split(b";") if b";" in _BACKQUOTED.sub(b"", key) else [key]
    return [part.replace(MARK, b"?") for part in parts if part.strip()]


def _pinning(reason: str, pin: str) -> Callable[[str], Statement]:
    statement = primary(reason, pin)
    return lambda _: statement


def _write(text: str) -> Statement:
    # LOAD DATA and `:=` set user variables, which other reads may ask for.
    return primary("user-variable") if "@" in text and b"@" in digest(text.encode()) else _WRITE


def _begin(text: str) -> Statement:
    # MariaDB's BEGIN NOT ATOMIC opens a block of statements, not a transaction.
    return primary("compound", "compound-statement") if _COMPOUND.match(text) else _TRANSACTION


def _start(text: str) -> Statement:
    return _WRITE if _REPLICATION.match(text) else _TRANSACTION


def _create(text: str) -> Statement:
    return primary("temporary-table", "temporary-table") if _TEMPORARY.match(text) else _WRITE


def _flush(text: str) -> Statement:
    return primary("table-locks", "table-locks") if _GLOBAL_LOCK.search(text) else _WRITE


def _show(text: str) -> Statement:
    match = _SHOW.match(text)
    if match is None:
        return primary("server-local", writes=False)
    if not match["read"]:
        return _DIAGNOSTIC
    # The condition of a SHOW can call functions and hold queries.
    return primary("show-expression") if _EXPRESSION.search(digest(text.encode())) else READ


def _use(text: str) -> Statement:
    match = _USE.match(text)
    if match is None:
        return primary(UNPARSED, "unknown-statement")
    schema = match["plain"] or match["quoted"].replace("``", "`")
    return Statement(Kind.SESSION, "session-setting", setting="use", schema=schema)


def _set(text: str) -> Statement:
    if _SET_ROLE.match(text):
        return Statement(Kind.SESSION, "session-setting", setting="role")
    parsed = _parse(text)
    tree = parsed[0] if parsed else None
    if not isinstance(tree, exp.Set) or not tree.expressions:
        return primary("set-unknown", "set-unknown")
    return classify_set(tree, text)
