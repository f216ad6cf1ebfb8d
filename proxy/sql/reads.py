"""Is a parsed statement a plain read? Judged twice: by the types in its tree, and by the names in its text."""

from collections.abc import Sequence
from typing import Final

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from proxy.sql.builtins import DIAGNOSTICS, PRIMARY_ONLY, SPACE_SENSITIVE, SYNTAX_WORDS
from proxy.sql.nodes import READ_NODES
from proxy.sql.statement import SERVER_SCHEMAS, Tables
from proxy.sql.variables import is_server_local

_DIAGNOSTIC_VARIABLES: Final = frozenset({"warning_count", "error_count"})
_WRITING_WORDS: Final = frozenset(
    """
    ALTER ANALYZE CALL CREATE DELETE DROP GRANT INTO KILL LOAD LOCK OUTFILE PROCEDURE PURGE RELEASE RENAME REVOKE
    UNLOCK UPDATE
    """.split()
)
_ALSO_FUNCTIONS: Final = frozenset({"INSERT", "REPLACE"})
_BEFORE_WITH_TABLE: Final = (TokenType.WITH, TokenType.RECURSIVE, TokenType.COMMA)
_QUERIES: Final = (TokenType.SELECT, TokenType.WITH)
_QUOTES: Final = "'\"`"
# What servers skip between two tokens; Python's str.strip() would take more.
_SPACES: Final = " \t\n\v\f\r"


def reason_not_a_read(tree: exp.Expr, builtins: frozenset[str]) -> str:
    """Why the tree is not made of plain reading nodes only; empty when it is."""
    for node in tree.walk():
        name = type(node).__name__
        if name not in READ_NODES:
            return _node_reason(name)
        if reason := _special_reason(node, builtins):
            return reason
    return ""


def _node_reason(name: str) -> str:
    return {"Lock": "locking-read", "Into": "select-into", "PropertyEQ": "user-variable"}.get(name, f"node:{name}")


def _special_reason(node: exp.Expr, builtins: frozenset[str]) -> str:
    if isinstance(node, exp.Table):
        return _table_reason(node)
    if isinstance(node, exp.SessionParameter):
        return _variable_reason(node)
    if isinstance(node, exp.Anonymous):
        return _function_reason(node, builtins)
    return "locking-read" if isinstance(node, exp.Select) and node.args.get("locks") else ""


def _table_reason(table: exp.Table) -> str:
    schema, name = table.db.lower(), table.name.lower()
    if schema in SERVER_SCHEMAS:
        return "server-local"
    # Without a schema the name counts too: information_schema may be the default one.
    # Events are switched off on replicas, and say so in EVENTS.
    if schema in ("information_schema", "") and (name in ("processlist", "events") or name.startswith("innodb_")):
        return "server-local"
    return ""


def _function_reason(function: exp.Anonymous, builtins: frozenset[str]) -> str:
    # A word of the grammar before a parenthesis, which passes in the text, can be a user's function after all.
    name = function.name.upper()
    known = name in builtins or name in DIAGNOSTICS or name in PRIMARY_ONLY or name == "ROW"
    return "" if known else f"unknown-function:{function.name}"


def _variable_reason(parameter: exp.SessionParameter) -> str:
    name = parameter.name.lower()
    if str(parameter.args.get("kind") or "").lower() == "global":
        return "server-local"
    return "server-local" if is_server_local(name) else ""


def asks_about_statement_before(tree: exp.Expr) -> bool:
    """Whether the answer depends on the statement that the session ran before."""
    return any(
        (isinstance(node, exp.Anonymous) and node.name.upper() in DIAGNOSTICS)
        or (isinstance(node, exp.SessionParameter) and node.name.lower() in _DIAGNOSTIC_VARIABLES)
        for node in tree.walk()
    )


def asks_the_primary(tokens: Sequence[Token]) -> bool:
    """Whether a function is called that changes no data, but that only the primary can answer."""
    return any(
        _is_paren(token) and tokens[at - 1].text.upper() in PRIMARY_ONLY for at, token in enumerate(tokens) if at
    )


def asks_for_insert_id(tokens: Sequence[Token]) -> bool:
    """Whether LAST_INSERT_ID() is the only function called that the primary would have to answer.

    With an argument it sets the insert id, and so is not meant.
    """
    asked = [
        at for at, token in enumerate(tokens) if at and _is_paren(token) and tokens[at - 1].text.upper() in PRIMARY_ONLY
    ]
    return bool(asked) and all(
        tokens[at - 1].text.upper() == "LAST_INSERT_ID" and tokens[at + 1].token_type is TokenType.R_PAREN
        for at in asked
    )


def reads_tables(tree: exp.Expr) -> bool:
    """Whether the statement reads any table."""
    return any(table.name.upper() != "DUAL" for table in tree.find_all(exp.Table))


def tables_of(tree: exp.Expr) -> Tables:
    """The tables that a query depends on, names of its WITH among them; None when that may be any."""
    found = set()
    for table in tree.find_all(exp.Table):
        if not table.name or table.db.lower() == "information_schema":
            return None
        found.add((table.db, table.name))
    return frozenset(found)


def covers(text: str, tokens: Sequence[Token]) -> bool:
    """Whether the tokens are all of the text, cut where a server would cut it.

    A parser that takes a no-break space for white space, or `1abs` for two words, reads another statement than the
    server, where either can be a part of a function's name.
    """
    end = 0
    for token in tokens:
        gap = text[end : token.start]
        if "\0" in text[token.start : token.end + 1] and text[token.end] not in _QUOTES:
            return False
        if gap.strip(_SPACES) or (not gap and end and _in_name(text[end - 1]) and _in_name(text[token.start])):
            return False
        end = token.end + 1
    return not text[end:].strip(_SPACES)


def reason_of_words(text: str, tokens: Sequence[Token]) -> str:
    """Which word of the text no plain read can hold; empty when there is none.

    The words are reserved, so that they cannot be names. This is the net under a parser that drops what it skips.
    """
    for at, token in enumerate(tokens):
        behind = tokens[at + 1] if at + 1 < len(tokens) else None
        if text[token.end] in _QUOTES or (at and tokens[at - 1].token_type is TokenType.DOT):
            continue
        for word in text[token.start : token.end + 1].upper().split():
            if word in _WRITING_WORDS or (word in _ALSO_FUNCTIONS and not _is_paren(behind)):
                return f"word:{word}"
            if word == "FOR" and behind is not None and behind.text.upper() == "SHARE":
                return "locking-read"
    return ""


def calls_any(tokens: Sequence[Token], functions: frozenset[str]) -> bool:
    """Whether one of these functions is called, by whatever name of a schema."""
    return bool(functions) and any(
        _is_paren(token) and tokens[at - 1].text.upper() in functions for at, token in enumerate(tokens) if at
    )


def reason_of_calls(
    text: str, tokens: Sequence[Token], builtins: frozenset[str], readers: frozenset[str] = frozenset()
) -> str:
    """Why one of the functions called in the text is not known to be harmless; empty when all are."""
    for at, token in enumerate(tokens):
        if not at or not _is_paren(token) or tokens[at - 1].text.upper() in readers:
            continue
        if reason := _call_reason(text, tokens, at, builtins):
            return reason
    return ""


def _call_reason(text: str, tokens: Sequence[Token], at: int, builtins: frozenset[str]) -> str:
    """Judge what stands before the parenthesis that is token number `at`."""
    called = tokens[at - 1]
    if not _is_word(text, called):
        return ""
    unknown = f"unknown-function:{called.text}"
    if at > 1 and tokens[at - 2].token_type is TokenType.DOT:
        return unknown
    if _heads_with_table(tokens, at):
        return ""
    if text[called.end] == "`":
        return unknown
    # A token can be of several words, such as ORDER BY.
    name = called.text.upper().split()[-1]
    if name == "LATERAL" and tokens[at + 1 : at + 2] and tokens[at + 1].token_type in _QUERIES:
        # No function has a query for its parameter without parentheses around it.
        return ""
    if name in SYNTAX_WORDS or name in DIAGNOSTICS or name in PRIMARY_ONLY:
        return ""
    adjacent = called.end + 1 == tokens[at].start
    return "" if name in builtins and (adjacent or name not in SPACE_SENSITIVE) else unknown


def _heads_with_table(tokens: Sequence[Token], at: int) -> bool:
    """Whether the parenthesis encloses the columns of a WITH table: `WITH name (a, b) AS (`."""
    if at < 2 or tokens[at - 2].token_type not in _BEFORE_WITH_TABLE:
        return False
    close = at + 1
    while close < len(tokens) and tokens[close].token_type is not TokenType.R_PAREN:
        if _is_paren(tokens[close]):
            return False
        close += 1
    behind = tokens[close + 1 : close + 3]
    return len(behind) == 2 and behind[0].token_type is TokenType.ALIAS and _is_paren(behind[1])


def _is_paren(token: Token | None) -> bool:
    return token is not None and token.token_type is TokenType.L_PAREN


def _is_word(text: str, token: Token) -> bool:
    # A number counts too: servers take `1f` and `0x1g` for names.
    return text[token.end] == "`" or _in_name(text[token.end])


def _in_name(char: str) -> bool:
    return char.isalnum() or char in "_$" or ord(char) > 0x7F
