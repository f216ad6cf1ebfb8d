"""What a text asks about the statement before it, and what it leaves of that for later questions.

Observed on MariaDB 10.11 and MySQL 9.7, behind each of 4,300 statements: FOUND_ROWS() stays what it was through DDL,
locks, what sets values, through INSERT ... VALUES and the statements of transactions, through SHOW where no table is
behind it, and through errors that are found before a statement begins; on MariaDB through DO and UPDATE, too. Most
others change it.
"""

import re
from collections.abc import Iterable
from typing import Final

from proxy.sql.statement import Statement

ROW_COUNT: Final = 1
FOUND_ROWS: Final = 2
WARNINGS: Final = 4
NOTHING: Final = 0

_QUESTIONS: Final = re.compile(
    r"\b(?:(?P<row_count>ROW_COUNT\s*\()|(?P<found_rows>FOUND_ROWS\s*\())"
    r"|(?P<warnings>@@(?:(?:SESSION|LOCAL)\s*\.\s*)?`?(?:WARNING|ERROR)_COUNT\b"
    r"|\bSHOW\s+(?:COUNT\s*\(\s*\*\s*\)\s*)?(?:WARNINGS|ERRORS)\b|\bGET\s+(?:CURRENT\s+)?DIAGNOSTICS\b)",
    re.IGNORECASE,
)
# Others only hold a text that will ask when it is run: CREATE PROCEDURE, PREPARE.
_ASKING: Final = re.compile(r"[\s(]*(?:SELECT|WITH|SHOW|GET|SET|DO|INSERT|REPLACE|UPDATE|DELETE|CALL)\b", re.IGNORECASE)
_BITS: Final = {"row_count": ROW_COUNT, "found_rows": FOUND_ROWS, "warnings": WARNINGS}
_ROW_COUNT_ITEM: Final = re.compile(r"\bDIAGNOSTICS\b.*\bROW_COUNT\b", re.IGNORECASE | re.DOTALL)
# Behind EXPLAIN, CALL, EXECUTE and SET STATEMENT it depends on what they run.
_KEEPS_FOUND_ROWS: Final = re.compile(
    r"\s*(?:BEGIN(?!\s+NOT)|START\s+TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|XA|USE|LOCK|UNLOCK|PREPARE|DEALLOCATE"
    r"|SIGNAL|RESIGNAL|DROP|ALTER|RENAME|TRUNCATE|HANDLER|FLUSH|KILL|GRANT|REVOKE|OPTIMIZE|CHECK|CHECKSUM"
    r"|REPAIR|ANALYZE\s+TABLE|HELP"
    r"|SHOW\s+(?:WARNINGS|ERRORS|CREATE|GRANTS|(?:FULL\s+)?PROCESSLIST|ENGINE|PRIVILEGES|PROFILES|BINARY|BINLOG|RELAYLOG"
    r"|MASTER|SLAVE|REPLICAS?)|GET\s+(?:CURRENT\s+)?DIAGNOSTICS"
    r"|DELETE\s+FROM\b(?!.*\b(?:SELECT|JOIN|USING)\b)"
    r"|(?:INSERT|REPLACE)\b(?!.*\b(?:SELECT|TABLE)\b)"
    r"|SET\b(?!\s+STATEMENT\b|.*\b(?:FROM|UNION|EXCEPT|INTERSECT|TABLE)\b)"
    r"|CREATE\b(?!.*\bTABLE\b.*\b(?:SELECT|TABLE|VALUES\s*(?:ROW\s*)?\()))\b",
    re.IGNORECASE | re.DOTALL,
)
# There the queries in these find nothing that counts.
_KEEPS_ON_MYSQL: Final = re.compile(r"\s*(?:SET|CREATE)\b", re.IGNORECASE)
_KEEPS_ON_MARIADB: Final = re.compile(
    r"\s*(?:DO\b|UPDATE\s+(?:LOW_PRIORITY\s+|IGNORE\s+)*[^\s,]+\s+SET\b)(?!.*\bSELECT\b)", re.IGNORECASE | re.DOTALL
)


def asked(text: str) -> int:
    """Which of the three a text asks for, as a sum."""
    asks = NOTHING
    if not _ASKING.match(text):
        return asks
    for found in _QUESTIONS.finditer(text):
        asks |= _BITS[str(found.lastgroup)]
    return asks | ROW_COUNT if asks & WARNINGS and _ROW_COUNT_ITEM.search(text) else asks


def asked_of_several(statements: Iterable[Statement]) -> int:
    """Which of them a text of several statements asks for: about the one before it, and not about one of its own."""
    asks, before = NOTHING, ROW_COUNT | FOUND_ROWS | WARNINGS
    for statement in statements:
        asks |= statement.asks & before
        before &= ~ROW_COUNT
        if not statement.keeps_found_rows:
            before &= ~FOUND_ROWS
        if not statement.keeps_warnings:
            before &= ~WARNINGS
    return asks


def keeps_found_rows(text: str, *, mariadb: bool) -> bool:
    """Whether FOUND_ROWS() is the same behind a statement."""
    return bool(_KEEPS_FOUND_ROWS.match(text) or (_KEEPS_ON_MARIADB if mariadb else _KEEPS_ON_MYSQL).match(text))
