"""What a text asks about the statement before it, and what it leaves of that for later questions.

Observed on MariaDB 10.11 and MySQL 9.7: FOUND_ROWS() stays what it was through DDL, locks, what sets values, through
INSERT ... VALUES and the statements of transactions, and through errors that are found before a statement begins. Most
others change it.
"""

import re
from typing import Final

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
# Looked at on both vendors: behind DO, EXPLAIN, SHOW and UPDATE it is another on one of them.
_KEEPS_FOUND_ROWS: Final = re.compile(
    r"\s*(?:BEGIN|START\s+TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|XA|USE|LOCK|UNLOCK|PREPARE|DEALLOCATE"
    r"|DROP|ALTER|RENAME|TRUNCATE|HANDLER|FLUSH|KILL|GRANT|REVOKE|OPTIMIZE|CHECK"
    r"|SHOW\s+WARNINGS|SHOW\s+ERRORS|GET\s+(?:CURRENT\s+)?DIAGNOSTICS"
    r"|DELETE\s+FROM\b(?!.*\b(?:SELECT|JOIN|USING)\b)"
    r"|(?:SET|INSERT|REPLACE|CREATE)\b(?!.*\b(?:SELECT|TABLE)\b))\b",
    re.IGNORECASE | re.DOTALL,
)


def asked(text: str) -> int:
    """Which of the three a text asks for, as a sum."""
    asks = NOTHING
    if not _ASKING.match(text):
        return asks
    for found in _QUESTIONS.finditer(text):
        asks |= _BITS[str(found.lastgroup)]
    return asks | ROW_COUNT if asks & WARNINGS and _ROW_COUNT_ITEM.search(text) else asks


def keeps_found_rows(text: str) -> bool:
    """Whether FOUND_ROWS() is the same behind a statement."""
    return _KEEPS_FOUND_ROWS.match(text) is not None
