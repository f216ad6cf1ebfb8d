"""Text in, Statement out. Never raises: what cannot be understood is for the primary.

Statements are told apart by their first word. Only what may be a plain read is parsed; of everything else the words
that matter are read.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, TypeVar

from proxy.sql import changes, locking, own, prepares, questions, transactions
from proxy.sql.builtins import builtins_of, readers_of
from proxy.sql.comments import ServerVersion, Unreadable, uncomment
from proxy.sql.effects import UNTOLD, Effect, Hold, Pin, Prepare, SetUserVariable, UseSchema
from proxy.sql.keptwarnings import keep_warnings, keeps_warnings
from proxy.sql.lexer import digest, split_statements, without_leading_comments
from proxy.sql.mentions import NAMED_LOCK, into_variables, mentions, plain_lock_calls
from proxy.sql.programs import joined
from proxy.sql.queries import QUERIES, classify_query
from proxy.sql.settings import classify_set
from proxy.sql.shows import show
from proxy.sql.statement import Kind, Statement, Tables, primary
from proxy.sql.verdict import Verdict
from proxy.sql.words import Words, variable_name
from topology.servers import Vendor

# sqlglot logs the text of what it cannot parse; statements hold other people's data.
logging.getLogger("sqlglot").disabled = True

# Parsing takes about half a microsecond a byte and happens on the event loop.
MAX_PARSED: Final = 32 * 1024
# Servers remove this from both ends before they look at a text.
_GARBAGE: Final = b"; \t\n\v\f\r"
MULTI_STATEMENT: Final = "multi-statement"
UNKNOWN: Final = Pin("unknown-statement")

_EMPTY: Final = primary("empty", writes=False)
_UNKNOWN: Final = primary("unknown", UNKNOWN, variables=None)
# Of these the words are not looked at, and nothing of them stays in the session.
_OTHERS: Final = """
    GRANT REVOKE ANALYZE OPTIMIZE REPAIR CHECK CHECKSUM PURGE CHANGE INSTALL UNINSTALL IMPORT STOP RESET CACHE SIGNAL
    RESIGNAL CLONE
"""
_BLOCKS: Final = ("IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR", "DECLARE")

_FIRST_WORD: Final = re.compile(r"[\s(;]*([A-Za-z_]+)")
_DOLLAR_QUOTE: Final = re.compile(r"\$(?:[^\W\d][\w]*)?\$")
_GET_LOCK: Final = re.compile(rb"get_lock", re.IGNORECASE)
# Of these a text that is not read leaves nothing behind but what its calls and assignments do.
_UNREAD: Final = ("INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "SELECT", "WITH")
# So much of a large text is looked at for variables that LOAD DATA gives values to.
_HEAD: Final = 1024
_EXPLAIN: Final = re.compile(
    r"(?:EXPLAIN|DESCRIBE|DESC)\s+(?:(?:EXTENDED|PARTITIONS|FORMAT\s*=\s*\w+)\s+)?(?P<explained>.*)",
    re.IGNORECASE | re.DOTALL,
)
_ROUTE: Final = re.compile(r"EXPLAIN\s+ROUTE\s+(?P<explained>.*)", re.IGNORECASE | re.DOTALL)
_ANALYZE: Final = re.compile(
    r"(?:(?:EXPLAIN|DESCRIBE|DESC)\s+ANALYZE|ANALYZE)\s+(?:FORMAT\s*=\s*\w+\s+)?(?P<explained>.*)",
    re.IGNORECASE | re.DOTALL,
)
_ANALYZE_TABLE: Final = re.compile(r"ANALYZE\s+(?:LOCAL\s+|NO_WRITE_TO_BINLOG\s+)?TABLES?\b", re.IGNORECASE)
_TABLE_NAME: Final = re.compile(
    r"(?!(?:SELECT|WITH|TABLE|VALUES|INSERT|REPLACE|UPDATE|DELETE|FOR)\b)"
    r"(?:`[^`]+`|\w+)(?:\.(?:`[^`]+`|\w+))?(?:\s+(?:`[^`]+`|\w+|'[^']*'))?\s*",
    re.IGNORECASE,
)


_DESCRIBED: Final = Statement(Kind.READ, "read", reads=None)
_T = TypeVar("_T")


class Classifier:
    """Classifies texts for servers of one vendor; `readers` are functions that only read, beside the servers' own."""

    def __init__(self, server: ServerVersion, readers: Iterable[str] = ()) -> None:
        self.server = server
        self._builtins = builtins_of(server.vendor, server.number)
        self._readers = readers_of(readers)
        self._mariadb = server.vendor is Vendor.MARIADB
        # What is told from the digest, in which literals are marks.
        self._by_digest: dict[str, Callable[[Words], Statement]] = {
            **dict.fromkeys(_OTHERS.split(), lambda _: primary("write")),
            **dict.fromkeys(_BLOCKS, transactions.compound),
            **dict.fromkeys(("COMMIT", "ROLLBACK"), transactions.end),
            **dict.fromkeys(("SAVEPOINT", "RELEASE"), transactions.savepoint),
            **dict.fromkeys(("INSERT", "REPLACE"), self._changing("INSERT", changes.insert)),
            "UPDATE": self._changing("UPDATE", changes.update),
            "DELETE": self._changing("DELETE", changes.delete),
            "TRUNCATE": lambda words: primary("write", written=changes.truncate(words), defines=False),
            "LOAD": self._load,
            "CREATE": self._create,
            "DROP": _drop,
            "ALTER": changes.alter,
            "RENAME": changes.rename,
            "BEGIN": transactions.begin,
            "START": _start,
            "XA": transactions.xa,
            "LOCK": locking.lock,
            "UNLOCK": locking.unlock,
            "FLUSH": locking.flush,
            "BACKUP": locking.backup,
            "HANDLER": locking.handler,
            "CALL": self._call,
            "BINLOG": lambda _: primary("binlog", Pin("binlog")),
            "KILL": lambda _: primary("kill", writes=False),
            "SHUTDOWN": lambda _: primary("write", writes=False),
            "RESTART": lambda _: primary("write", writes=False),
            "HELP": lambda _: primary("server-local", writes=False),
            "GET": _get_diagnostics,
            "USE": _use,
            "DEALLOCATE": _deallocate,
        }
        # What depends on literals.
        self._by_text: dict[str, Callable[[Words], Statement]] = {
            "SET": lambda words: classify_set(words, self._builtins, self._inner),
            "PREPARE": lambda words: prepares.prepare(words, self._inner, mariadb=self._mariadb),
            "EXECUTE": lambda words: prepares.execute(words, self._inner),
            "DO": self._do,
            "SHOW": show,
            "PROXY": lambda words: own.commanded(words) or _UNKNOWN,
        }

    def classify(self, stripped: bytes) -> Verdict:
        """The facts about a text from which comments were taken (`proxy.sql.comments`)."""
        stripped = stripped.strip(_GARBAGE)
        key = digest(stripped)
        if b";" in key and len(parts := joined(split_statements(stripped))) > 1:
            return several([self._one(part, digest(part)) for part in parts])
        return self._one(stripped, key)

    def _one(self, stripped: bytes, key: bytes) -> Verdict:
        text, shown = stripped.decode("utf-8", "replace"), key.decode("utf-8", "replace")
        verdict = self._judged(text, shown)
        statement = replace(
            verdict.statement,
            # Literals have no part in it.
            asks=questions.asked(shown),
            # Of EXECUTE IMMEDIATE the facts are those of what is run.
            keeps_found_rows=verdict.statement.keeps_found_rows
            or questions.keeps_found_rows(shown, mariadb=self._mariadb),
            keeps_warnings=keeps_warnings(verdict.statement, shown, mariadb=self._mariadb),
        )
        return Verdict(statement, verdict.alone)

    def _inner(self, text: str) -> Statement:
        """The facts about a text that is a part of another one."""
        try:
            return self.classify(uncomment(text.encode("utf-8", "replace"), self.server).text).statement
        except Unreadable:
            return _UNKNOWN

    def _judged(self, text: str, shown: str) -> Verdict:
        first = _FIRST_WORD.match(text)
        if first is None:
            return Verdict(_EMPTY if not text.strip(" \t\r\n;\0") else _UNKNOWN)
        word = first[1].upper()
        if _DOLLAR_QUOTE.search(shown):
            # What is quoted with dollars may hold quotes, so that strings begin and end elsewhere than it seems.
            return Verdict(_UNKNOWN)
        if word in QUERIES:
            return classify_query(text, shown, self._builtins, self._readers)
        if word in ("EXPLAIN", "DESCRIBE", "DESC", "ANALYZE"):
            return self._explain(text)
        if word in self._by_text:
            return Verdict(self._by_text[word](Words(text[first.end() :])), alone=True)
        classify = self._by_digest.get(word)
        return Verdict(classify(Words(shown[first.end() :])) if classify else _UNKNOWN)

    def unread(self, text: bytes, reason: str) -> Statement:
        """A text that is not looked at in full: judged by its first word, and a read is not taken for one."""
        word = _FIRST_WORD.match(without_leading_comments(text)[:64].decode("ascii", "replace"))
        if word is None or word[1].upper() not in _UNREAD or not _is_alone(text):
            return primary(reason, UNKNOWN, variables=None)
        effects: list[Effect] = [Hold(reason)]
        if b":=" in text or b"@" in text[:_HEAD]:
            effects.append(SetUserVariable(UNTOLD))
        if _GET_LOCK.search(text):
            effects.append(Pin(NAMED_LOCK, UNTOLD))
        return primary(reason, *effects, variables=None, defines=False)

    # --- statements that change data, and calls --------------------------------------------------------------------

    def _changing(self, verb: str, tables: Callable[[Words], Tables]) -> Callable[[Words], Statement]:
        """For statements that begin with `verb`, or may as well."""

        def classify(words: Words) -> Statement:
            written = tables(words)
            reads = changes.read_by(verb, words)
            if words.peek() == "(":
                words.at += 1  # the names of columns, no function's parameters
            found = mentions(words, self._builtins)
            return primary(
                "write",
                *found.effects(),
                written=None if found.unknown else written,
                variables=None if found.unknown else found.told_variables(),
                defines=False,
                reads=reads,
            )

        return classify

    def _create(self, words: Words) -> Statement:
        """CREATE TABLE can be filled by a query, which is run."""
        statement = changes.create(words)
        if not changes.is_filled(words):
            return statement
        found = mentions(words, self._builtins)
        variables = None if found.unknown else found.told_variables()
        return replace(statement, effects=(*statement.effects, *found.effects()), variables=variables)

    def _load(self, words: Words) -> Statement:
        """LOAD DATA can give values to user variables by their place in a list; it can call functions behind SET."""
        variables = mentions(words, self._builtins).variables
        written = changes.load(words)
        words.at = words.upper.index("SET", words.at) if "SET" in words.upper[words.at :] else len(words.texts)
        found = mentions(words, self._builtins)
        found.assigned |= variables
        written = None if found.unknown or "SELECT" in words.upper else written
        return primary("write", *found.effects(), written=written, variables=None, defines=False)

    def _call(self, words: Words) -> Statement:
        words.table()
        words.take("(")
        found = mentions(words, self._builtins)
        found.assigned |= found.variables
        return primary("call", Pin("procedure"), *found.effects(), variables=None)

    def _do(self, words: Words) -> Statement:
        locks = plain_lock_calls(words.part(words.at, len(words.texts)))
        if locks is not None:
            return primary("do", *locks, writes=False)
        found = mentions(words, self._builtins)
        variables = None if found.unknown else found.told_variables()
        return primary("do", *found.effects(), writes=bool(found.unknown), variables=variables)

    # --- statements about statements ---------------------------------------------------------------------------------

    def _explain(self, text: str) -> Verdict:
        if match := _ANALYZE.match(text):
            if _ANALYZE_TABLE.match(text):
                return Verdict(primary("write"))
            # What it explains is run.
            inner = self._explained(match["explained"])
            return inner if inner.statement.kind is Kind.READ else _renamed(inner, "explain")
        match = _EXPLAIN.match(text)
        if match is None:
            return Verdict(primary("explain", writes=False))
        if _TABLE_NAME.fullmatch(match["explained"]):
            return Verdict(_DESCRIBED)
        if (route := _ROUTE.match(text)) and own.is_explained(route["explained"]):
            return Verdict(own.ROUTE_EXPLAINED)
        inner = self._explained(match["explained"])
        if inner.statement.kind is Kind.READ:
            return inner
        # What is explained is not run, but a query in it can be, and EXPLAIN ... INTO @v gives a value.
        words = Words(match["explained"])
        found = mentions(words, self._builtins)
        found.assigned |= into_variables(words)
        return Verdict(primary("explain", *found.effects(), writes=bool(found.unknown), variables=None), inner.alone)

    def _explained(self, text: str) -> Verdict:
        stripped = text.encode("utf-8", "replace")
        return self._one(stripped, digest(stripped))


def several(verdicts: list[Verdict]) -> Verdict:
    """The facts about a text of several statements."""
    statements = [verdict.statement for verdict in verdicts]
    alone = any(verdict.alone for verdict in verdicts)
    variables = _union(statement.variables for statement in statements)
    if all(statement.kind is Kind.READ for statement in statements):
        reads = _union(statement.reads for statement in statements)
        read = Statement(Kind.READ, "read", reads=reads, variables=variables, keeps_warnings=keep_warnings(statements))
        return Verdict(read, alone)
    statement = primary(
        MULTI_STATEMENT,
        *(_among_others(effect) for statement in statements for effect in statement.effects),
        writes=any(statement.writes for statement in statements),
        written=_union(statement.written for statement in statements),
        defines=any(statement.defines for statement in statements),
        variables=variables,
    )
    keeps_found_rows = all(statement.keeps_found_rows for statement in statements)
    told = replace(
        statement,
        asks=questions.asked_of_several(statements),
        keeps_found_rows=keeps_found_rows,
        keeps_warnings=keep_warnings(statements),
    )
    return Verdict(told, alone)


def _among_others(effect: Effect) -> Effect:
    """An effect of one of several statements: what was prepared there is not prepared again by running all of them."""
    return replace(effect, statement=None) if isinstance(effect, Prepare) else effect


def _union(sets: Iterable[frozenset[_T] | None]) -> frozenset[_T] | None:
    result: frozenset[_T] = frozenset()
    for one in sets:
        if one is None:
            return None
        result |= one
    return result


def _renamed(verdict: Verdict, reason: str) -> Verdict:
    return Verdict(replace(verdict.statement, kind=Kind.PRIMARY, reason=reason), verdict.alone)


def _start(words: Words) -> Statement:
    if words.take("TRANSACTION"):
        return transactions.start_transaction(words) or _UNKNOWN
    return primary("write")


def _drop(words: Words) -> Statement:
    return prepares.deallocate(words) if words.take("PREPARE") else changes.drop(words)


def _deallocate(words: Words) -> Statement:
    words.take("PREPARE")
    return prepares.deallocate(words)


def _get_diagnostics(words: Words) -> Statement:
    """GET DIAGNOSTICS @a = ...: about the statement before, wherever that ran."""
    names = {variable_name(word) for word in words.rest() if word.startswith("@")}
    return Statement(Kind.DIAGNOSTIC, "diagnostic", tuple(SetUserVariable(name) for name in sorted(names)))


def _use(words: Words) -> Statement:
    name = words.name()
    if not name or not words.over:
        return primary("unparsed", UNKNOWN, writes=False)
    return Statement(Kind.SESSION, "session-setting", (UseSchema(name),))


def _is_alone(text: bytes) -> bool:
    """Whether a text is one statement: no semicolon but at its end, strings left aside if need be."""
    text = text.rstrip(_GARBAGE)
    return b";" not in text or len(split_statements(text)) == 1
