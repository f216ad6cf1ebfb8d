"""SET statements: which of them can be repeated on another connection, and which tie the session to the primary."""

from typing import Final

from sqlglot import exp

from proxy.sql.statement import Kind, Statement, primary

# Set for one connection and not meant to be anywhere else; a replica must not get them either.
_CONNECTION_ONLY: Final = frozenset(
    """
    sql_log_bin sql_log_off timestamp insert_id last_insert_id identity rand_seed1 rand_seed2 gtid_next
    gtid_domain_id gtid_seq_no server_id skip_replication binlog_format check_constraint_checks sql_auto_is_null
    """.split()
)
_NEXT_TRANSACTION: Final = frozenset({"transaction_isolation", "tx_isolation", "transaction_read_only", "tx_read_only"})
_CHARACTER_SETS: Final = frozenset({"character_set_client", "names", "character set"})
# In these a byte 0x5C or 0x27 can be the second half of a character, so quotes end elsewhere than in UTF-8.
UNSAFE_CHARACTER_SETS: Final = frozenset({"big5", "gbk", "sjis", "cp932", "gb18030"})
_UNSAFE_SQL_MODES: Final = (
    "ANSI",  # also a part of ANSI_QUOTES
    "NO_BACKSLASH_ESCAPES",
    "ORACLE",
    "MSSQL",
    "DB2",
    "POSTGRESQL",
    "MAXDB",
)
_LITERALS: Final = (exp.Literal, exp.Null, exp.Boolean, exp.Var, exp.HexString)


def unsafe_sql_mode(value: str) -> bool:
    """Whether a sql_mode changes what quotes and backslashes mean."""
    return any(mode in value.upper() for mode in _UNSAFE_SQL_MODES)


def classify_set(tree: exp.Set, text: str) -> Statement:
    """The facts about a parsed SET statement; `text` is its source without comments."""
    judged = [_judge(item, text) for item in tree.expressions]
    kinds = {statement.kind for statement in judged}
    for statement in judged:
        if statement.pin and statement.kind is Kind.PRIMARY:
            return statement
    if kinds == {Kind.SESSION}:
        return _merged(judged)
    if kinds == {Kind.PRIMARY}:
        return _of_primary(judged)
    # A mix of session and global or user variables is as a whole neither repeatable nor free of session state, but for
    # user variables that are set to literals.
    if any(statement.kind is Kind.PRIMARY and statement.reason != "user-literal" for statement in judged):
        return primary("set-mixed", "set-mixed")
    return _merged([statement for statement in judged if statement.kind is Kind.SESSION])


def _of_primary(judged: list[Statement]) -> Statement:
    if any(statement.reason.startswith("user-") for statement in judged):
        return primary("user-variable", writes=any(statement.writes for statement in judged))
    return judged[0]


def _merged(judged: list[Statement]) -> Statement:
    pin = next((statement.pin for statement in judged if statement.pin), "")
    return Statement(Kind.SESSION, "session-setting", pin, ",".join(statement.setting for statement in judged))


def _judge(item: exp.Expr, text: str) -> Statement:
    kind = str(item.args.get("kind") or "").upper()
    if kind == "TRANSACTION":
        return _judge_transaction(text)
    if kind in ("NAMES", "CHARACTER SET"):
        return _session(kind.lower(), item.this)
    assignment = item.this
    if kind not in ("", "SESSION", "LOCAL") or not isinstance(assignment, exp.EQ):
        return primary("set-global") if isinstance(assignment, exp.EQ) else primary("set-unknown", "set-unknown")
    if isinstance(assignment.this, exp.Parameter):
        return _judge_user_variable(assignment)
    return _judge_system_variable(assignment, kind)


def _judge_transaction(text: str) -> Statement:
    scope = text.split(None, 2)[1].upper()
    if scope in ("SESSION", "LOCAL"):
        return Statement(Kind.SESSION, "session-setting", setting=" ".join(text.upper().split()))
    return primary("set-global") if scope == "GLOBAL" else primary("next-transaction", "next-transaction", writes=False)


def _judge_user_variable(assignment: exp.EQ) -> Statement:
    if _is_literal(assignment.expression):
        return primary("user-literal", writes=False)
    harmless = all(
        isinstance(node, (*_LITERALS, exp.Neg, exp.Parameter, exp.SessionParameter, exp.Identifier))
        for node in assignment.expression.walk()
    )
    return primary("user-variable", writes=not harmless)


def _judge_system_variable(assignment: exp.EQ, kind: str) -> Statement:
    target, value = assignment.this, assignment.expression
    if isinstance(target, exp.Column) and target.table:
        # A component's variable, a key cache, or a mistake.
        return primary("set-unknown", "set-unknown")
    name = target.name.lower()
    if isinstance(target, exp.SessionParameter):
        scope = str(target.args.get("kind") or "").lower()
        if scope not in ("", "session", "local"):
            return primary("set-global")
        if not scope and name in _NEXT_TRANSACTION:
            return primary("next-transaction", "next-transaction", writes=False)
    if name == "password":
        return primary("write")
    if name in _CONNECTION_ONLY or name.startswith("pseudo_"):
        return primary("connection-variable", f"connection-variable:{name}")
    if not _is_literal(value):
        return primary("set-expression", f"set-expression:{name}")
    return _session(name, value)


def _is_literal(value: exp.Expr) -> bool:
    return isinstance(value.this if isinstance(value, exp.Neg) else value, _LITERALS)


def _session(name: str, value: exp.Expr) -> Statement:
    return Statement(Kind.SESSION, "session-setting", _pin_of(name, value), name)


def _pin_of(name: str, value: exp.Expr) -> str:
    # A number, a string with escapes, or the server's default does not tell by itself which value it stands for.
    word = isinstance(value, exp.Var) and value.name.upper() != "DEFAULT"
    told = (value.is_string or word) and "\\" not in value.name
    if name in _CHARACTER_SETS and not (told and value.name.lower() not in UNSAFE_CHARACTER_SETS):
        return "character-set"
    return "sql-mode" if name == "sql_mode" and not (told and not unsafe_sql_mode(value.name)) else ""
