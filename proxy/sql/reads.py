"""Is a parsed statement a plain read? Judged twice: by the types in its tree, and by the names in its text."""

from collections.abc import Collection
from typing import Final

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from proxy.sql.builtins import DIAGNOSTICS, SYNTAX_WORDS
from proxy.sql.nodes import READ_NODES
from proxy.sql.statement import SERVER_SCHEMAS

_LOCAL_VARIABLE_PREFIXES: Final = ("gtid_", "log_bin", "server_", "wsrep_", "rpl_", "slave_", "replica_")
_LOCAL_VARIABLES: Final = frozenset(
    """
    hostname port read_only super_read_only last_insert_id identity last_gtid pseudo_thread_id socket pid_file
    datadir insert_id timestamp rand_seed1 rand_seed2 autocommit in_transaction transaction_read_only
    tx_read_only report_host report_port offline_mode basedir
    """.split()
)
_DIAGNOSTIC_VARIABLES: Final = frozenset({"warning_count", "error_count"})
_NAMES: Final = (TokenType.VAR, TokenType.IDENTIFIER)


def reason_not_a_read(tree: exp.Expr) -> str:
    """Why the tree is not made of plain reading nodes only; empty when it is."""
    for node in tree.walk():
        name = type(node).__name__
        if name not in READ_NODES:
            return _node_reason(name)
        if reason := _special_reason(node):
            return reason
    return ""


def _node_reason(name: str) -> str:
    return {"Lock": "locking-read", "Into": "select-into", "Parameter": "user-variable"}.get(name, f"node:{name}")


def _special_reason(node: exp.Expr) -> str:
    if isinstance(node, exp.Table):
        return _table_reason(node)
    if isinstance(node, exp.SessionParameter):
        return _variable_reason(node)
    return "locking-read" if isinstance(node, exp.Select) and node.args.get("locks") else ""


def _table_reason(table: exp.Table) -> str:
    schema, name = table.db.lower(), table.name.lower()
    if schema in SERVER_SCHEMAS:
        return "server-local"
    if schema == "information_schema" and (name == "processlist" or name.startswith("innodb_")):
        return "server-local"
    return ""


def _variable_reason(parameter: exp.SessionParameter) -> str:
    name = parameter.name.lower()
    if name in _DIAGNOSTIC_VARIABLES:
        return "diagnostic"
    if str(parameter.args.get("kind") or "").lower() == "global":
        return "server-local"
    local = name in _LOCAL_VARIABLES or name.startswith(_LOCAL_VARIABLE_PREFIXES)
    return "server-local" if local else ""


def reason_of_calls(tokens: Collection[Token], builtins: frozenset[str], relations: frozenset[str]) -> str:
    """Why one of the functions called in the text is not known to be harmless; empty when all are.

    `relations` are the upper-case names of the statement's own WITH tables, which may carry a list of columns.
    """
    before: tuple[Token | None, Token | None] = (None, None)
    for token in tokens:
        if token.token_type is TokenType.L_PAREN:
            reason = _call_reason(*before, token, builtins, relations)
            if reason:
                return reason
        before = (before[1], token)
    return ""


def _call_reason(
    previous: Token | None, called: Token | None, paren: Token, builtins: frozenset[str], relations: frozenset[str]
) -> str:
    if called is None or not _is_word(called):
        return ""
    name = called.text.upper()
    if previous is not None and previous.token_type is TokenType.DOT:
        return f"unknown-function:{called.text}"
    if name in relations:
        return ""
    if name in DIAGNOSTICS:
        return "diagnostic"
    if called.token_type is TokenType.IDENTIFIER:
        return f"unknown-function:{called.text}"
    if name in SYNTAX_WORDS:
        return ""
    # Without IGNORE_SPACE a space before the parenthesis can make a built-in's name mean a user's function.
    adjacent = called.end + 1 == paren.start
    return "" if name in builtins and adjacent else f"unknown-function:{called.text}"


def _is_word(token: Token) -> bool:
    return token.token_type in _NAMES or (token.text[:1].isidentifier() and token.token_type is not TokenType.STRING)
