"""Differences that docs/routing.md names under "What is not as on one server yet", by the steps that show them."""

import re
from collections.abc import Sequence
from typing import Final

from tests.differential.steps import Kind, Step

_DIAGNOSTICS: Final = re.compile(r"SHOW (COUNT|WARNINGS|ERRORS)|@@(warning|error)_count|GET DIAGNOSTICS|ROW_COUNT")
_SET_BY_PROGRAMS: Final = re.compile(r"@(seen|in_function)")


def _after_an_error_of_the_proxy(steps: Sequence[Step]) -> bool:
    """A question about a command on a prepared statement or cursor that does not exist, which the proxy answers."""
    asked = bool(_DIAGNOSTICS.search(_text(steps)))
    before = [step for step in steps[:-1] if not _without_a_table(step) and step.kind is not Kind.PREPARE]
    return asked and bool(before) and before[-1].kind in (Kind.EXECUTE, Kind.FETCH, Kind.RESET, Kind.PING)


def _text(steps: Sequence[Step]) -> str:
    """The text of the last step; of an execution, that of the statement's preparation."""
    last = steps[-1]
    if last.kind is not Kind.EXECUTE:
        return last.text
    texts = [step.text for step in steps if step.kind is Kind.PREPARE and step.handle == last.handle]
    return texts[-1] if texts else ""


def _without_a_table(step: Step) -> bool:
    """A statement that leaves the warnings before it where they are, on MariaDB."""
    return bool(step.text) and not re.search(r"FROM|INSERT|UPDATE|REPLACE|CREATE|ALTER|DROP|TABLE", step.text)


def _of_a_connection_that_went(steps: Sequence[Step]) -> bool:
    """A question in a form that is refused when the connection that could answer serves another session."""
    text = _text(steps)
    if "shows()" in text:
        return True
    first = re.match(r"(SELECT ROW_COUNT\(\)|SHOW WARNINGS|SHOW ERRORS|GET DIAGNOSTICS[^;]*) *;", text)
    return bool(first or re.search(r"(@@(warning|error)_count|ROW_COUNT\(\)).* (FROM|INTO)", text))


def _rows_of_an_earlier_select(steps: Sequence[Step]) -> bool:
    """FOUND_ROWS() behind other statements than a SELECT and those that are known to leave it, or before any SELECT."""
    text = "".join(step.text for step in steps[-2:])
    before = [step for step in steps[:-1] if step.kind is not Kind.PREPARE]
    plain = bool(before) and before[-1].text.startswith("SELECT") and "no_such" not in before[-1].text
    return "FOUND_ROWS()" in text and not plain


def _rows_beside_others(steps: Sequence[Step]) -> bool:
    """FOUND_ROWS() together with what is known of a statement behind that SELECT: refused."""
    return bool(re.search(r"FOUND_ROWS\(\).*ROW_COUNT|ROW_COUNT.*FOUND_ROWS\(\)", _text(steps)))


def _rows_of_an_earlier_union(steps: Sequence[Step]) -> bool:
    """FOUND_ROWS() behind a SELECT with LIMIT, for which MariaDB tells the rows of the UNION before that."""
    asks = "FOUND_ROWS()" in steps[-1].text
    return asks and "LIMIT" in "".join(step.text for step in steps[-2:-1]) and any("UNION" in s.text for s in steps)


def _set_by_a_trigger(steps: Sequence[Step]) -> bool:
    """A user variable that a trigger or a stored function has set."""
    return bool(_SET_BY_PROGRAMS.search(steps[-1].text))


def _never_set(steps: Sequence[Step]) -> bool:
    """A user variable without a value is of another type on MySQL once a write has read it; on MariaDB while it
    is on the connection where it had one before."""
    written = any(re.search(r"(INSERT|UPDATE) .*@\w|@\w+`? :?= NULL", step.text) for step in steps[:-1])
    return written and bool(re.search(r"@[`'\"]?[abcA]\b", steps[-1].text))


def _next_number(steps: Sequence[Step]) -> bool:
    """AUTO_INCREMENT in a table's definition, after numbers that were given to rows which did not come about."""
    return steps[-1].text.startswith("SHOW CREATE TABLE")


def _of_two_snapshots(steps: Sequence[Step]) -> bool:
    """Refused in a read-only transaction, because others have written since its reads ran on a replica."""
    read_only = any(re.search(r"READ ONLY|read_only", step.text) for step in steps[:-1])
    return read_only and bool(re.match(r"EXECUTE|CALL|SELECT .* INTO|SET @|SELECT \w+\(", steps[-1].text))


def _of_another_type(steps: Sequence[Step]) -> bool:
    """The text of an error about a parameter that had a value of another type in an execution before."""
    last = steps[-1]
    before = [step for step in steps[:-1] if step.kind is Kind.EXECUTE and step.handle == last.handle]
    return last.kind is Kind.EXECUTE and any(step.values != last.values for step in before)


def _of_another_plan(steps: Sequence[Step]) -> bool:
    """What MySQL says of the columns of SHOW TABLES depends on its plan, which with a limit is each server's own."""
    limited = any("sql_select_limit" in step.text for step in steps[:-1])
    return limited and bool(re.match(r"SHOW (FULL )?TABLES", steps[-1].text))


KNOWN: Final = (
    _of_two_snapshots,
    _next_number,
    _after_an_error_of_the_proxy,
    _of_a_connection_that_went,
    _of_another_type,
    _of_another_plan,
    _rows_of_an_earlier_select,
    _rows_beside_others,
    _rows_of_an_earlier_union,
    _set_by_a_trigger,
    _never_set,
)


def is_known(steps: Sequence[Step]) -> bool:
    """Whether the last of these steps, whose replies differ, shows one of them."""
    return any(known(steps) for known in KNOWN)
