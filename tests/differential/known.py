"""Differences that docs/routing.md names under "What is not as on one server yet", and docs/sharing.md under "What the
last statement left"."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from proxy.session.core.diagnostics import LOST, SPLIT, not_the_same
from tests.differential.difference import Difference
from tests.differential.steps import Kind, Step
from tests.support.recorder import Turn

_LISTED: Final = re.compile(r"SHOW (COUNT|WARNINGS|ERRORS)|@@(warning|error)_count|GET DIAGNOSTICS")
# Commands whose errors may be the proxy's.
_OF_STATEMENTS: Final = frozenset({Kind.EXECUTE, Kind.FETCH, Kind.RESET})
# Other commands whose errors, or warnings, MySQL adds to what is there.
_ADDING: Final = frozenset({*_OF_STATEMENTS, Kind.INIT_DB, Kind.FIELD_LIST, Kind.OPTION})
# What is answered from memory, whatever became of the connection.
_RETOLD: Final = re.compile(
    r"SELECT (ROW_COUNT\(\)|FOUND_ROWS\(\)|LAST_INSERT_ID\(\)|@@(warning|error)_count|, )+"
    r"|SHOW (WARNINGS|ERRORS)( LIMIT \d+)?|SHOW COUNT\(\*\) (WARNINGS|ERRORS)"
)
# What finds rows, or may do so: an execution of what was prepared as well.
_FINDS: Final = re.compile(
    r"SELECT (?!no_such|\* FROM no_such)|^(TABLE|VALUES) |SHOW (?!WARN|ERR)|DESC|CALL|EXECUTE(?! IMMEDIATE 'SET)|INTO @"
)
# Behind these nobody knows whether MariaDB still has the warnings of before.
_MAY_USE_TABLES: Final = re.compile(r"CALL|EXECUTE|SHOW|FLUSH|twice|notes|INTO @|;|SET STATEMENT")
# With the length of the message.
_NUMBER_OF_STATEMENT: Final = re.compile(
    rb".(?=The statement|Unknown prepared)|(?<=statement )\(\d+\)|(?<=handler )\(\d+\)", re.DOTALL
)
_JOINS: Final = re.compile(r"JOIN|SHOW (DATABASES|(FULL )?(TABLES|COLUMNS))")
# Error of a table that LOCK TABLES leaves out.
_NOT_LOCKED: Final = 1100
_NEXT_NUMBER: Final = re.compile(rb"^.*?CREATE TABLE| AUTO_INCREMENT=\d+", re.DOTALL)


def _text(steps: Sequence[Step]) -> str:
    """The text of the last step; of an execution, that of the statement's preparation."""
    last = steps[-1]
    if last.kind is not Kind.EXECUTE:
        return last.text
    texts = [step.text for step in steps if step.kind is Kind.PREPARE and step.handle == last.handle]
    return texts[-1] if texts else ""


def _of_a_connection_that_went(difference: Difference) -> bool:
    """A question in a form that is refused when the connection that could answer serves another session."""
    steps, text = difference.steps, _text(difference.steps)
    told = _RETOLD.fullmatch(text) and not any(_MAY_USE_TABLES.search(step.text) for step in steps[-7:-1])
    several = "ROW_COUNT()" in text and bool(_LISTED.search(text))
    beside = several or ("FOUND_ROWS()" in text and any(step.kind in _OF_STATEMENTS for step in steps[:-1]))
    return difference.refusal == LOST.message and (beside or not told)


def _list_of_several_commands(difference: Difference) -> bool:
    """On MySQL an error of a command on a prepared statement is added to the warnings of the statement before; if it is
    the proxy's own, it is told without them. Or a variable that was set to their number."""
    steps = difference.steps
    listed = [at for at in range(1, len(steps) + 1) if _LISTED.search(_text(steps[:at]))]
    if not listed or (listed[-1] < len(steps) and "@" not in steps[-1].text):
        return False
    # The questions in between leave the list as it is, and so does what has no reply.
    before = [at for at in range(1, listed[-1]) if at not in listed and steps[at - 1].kind is not Kind.CLOSE]
    return bool(before) and steps[before[-1] - 1].kind in _ADDING and listed[-1] > 2


def _resignalled(difference: Difference) -> bool:
    """MariaDB's RESIGNAL adds its error to the list that is there."""
    steps = difference.steps
    return bool(_LISTED.search(_text(steps))) and any(step.text.startswith("RESIGNAL") for step in steps[:-1])


def _list_of_another_character_set(difference: Difference) -> bool:
    """A list of warnings that MariaDB keeps while the character set of results is changed."""
    changed = any(re.search(r"NAMES|CHARACTER SET|character_set_results", step.text) for step in difference.steps[:-1])
    return changed and bool(re.match(r"SHOW (WARNINGS|ERRORS)", _text(difference.steps))) and difference.in_definitions


def _number_in_a_list(difference: Difference) -> bool:
    """The number of a prepared statement in a list of errors."""
    return _without_numbers(difference.wanted) == _without_numbers(difference.got)


def _without_numbers(turn: Turn) -> list[bytes]:
    return [_NUMBER_OF_STATEMENT.sub(b"", payload) for _, payload in turn.packets]


def _rows_behind_a_call(difference: Difference) -> bool:
    """FOUND_ROWS() behind a CALL, of which nobody knows whether it has found rows, nor behind a text of several."""
    asking = [at for at, step in enumerate(difference.steps) if "FOUND_ROWS()" in step.text]
    asked = "FOUND_ROWS()" in _text(difference.steps) or "@" in difference.steps[-1].text
    if not asking or (asking[-1] < len(difference.steps) - 1 and not asked):
        return False
    finding = [step.text for step in difference.steps[: asking[-1]] if _FINDS.search(step.text) or ";" in step.text]
    return bool(finding) and (finding[-1].startswith("CALL") or ";" in finding[-1])


def _of_a_procedure(difference: Difference) -> bool:
    """What a procedure asks about the statement before its CALL."""
    return "shows()" in _text(difference.steps)


def _rows_before_any_select(difference: Difference) -> bool:
    """FOUND_ROWS() where no statement before has found rows, or a variable that was set to it there: MariaDB tells what
    another connection has left, whose thread this one got."""
    *before, last = difference.steps
    if "FOUND_ROWS()" not in _text(difference.steps):
        set_to = next((at for at, step in enumerate(before) if "FOUND_ROWS()" in step.text), None)
        if set_to is None or "@" not in last.text:
            return False
        before = before[:set_to]
    return not any(step.kind is not Kind.PREPARE and _FINDS.search(step.text or "SELECT") for step in before)


def _null_of_another_type(difference: Difference) -> bool:
    """A user variable that was set to NULL behind an expression, of whose type nothing is known, nor its collation."""
    text = _text(difference.steps)
    nulled = {name for step in difference.steps[:-1] for name in re.findall(r"@`?(\w+)`? :?= NULL", step.text)}
    asked = nulled & set(re.findall(r"(?:COLLATION|CHARSET|COERCIBILITY)\(@`?(\w+)", text))
    told = bool(asked) and not difference.refusal
    return bool(nulled) and "@" in text and (told or difference.only_in_definitions)


def _never_set(difference: Difference) -> bool:
    """A user variable without a value is of another type on MySQL once EXECUTE of a write, or a write that sets another
    variable, has read it."""
    written = any(re.search(r"EXECUTE|(INSERT|UPDATE) .*@\w+ :=", step.text) for step in difference.steps[:-1])
    return written and "@" in _text(difference.steps) and difference.only_in_definitions


def _rows_beside_others(difference: Difference) -> bool:
    """FOUND_ROWS() together with what is known of a statement behind that SELECT: refused."""
    return difference.refusal == SPLIT.message


def _rows_behind_locked_tables(difference: Difference) -> bool:
    """A question about a read that LOCK TABLES does not let run again on the primary: refused."""
    return difference.refusal == not_the_same(_NOT_LOCKED).message


def _rows_of_an_earlier_union(difference: Difference) -> bool:
    """FOUND_ROWS() behind a SELECT with LIMIT, for which MariaDB tells the rows of the UNION before that."""
    steps = difference.steps
    found = [_text(steps[:at]) for at in range(1, len(steps)) if _FINDS.search(_text(steps[:at]) or "-")]
    limited = bool(found) and "LIMIT" in found[-1]
    return "FOUND_ROWS()" in _text(steps) and limited and any("UNION" in text for text in found)


def _set_by_a_trigger(difference: Difference) -> bool:
    """A user variable that a trigger has set, fired by EXECUTE; its type, where another trigger has read it unset."""
    executed = any(step.text.startswith("EXECUTE") for step in difference.steps[:-1])
    return (executed or difference.only_in_definitions) and "@seen" in difference.steps[-1].text


def _next_number(difference: Difference) -> bool:
    """AUTO_INCREMENT in a table's definition, after numbers that were given to rows which did not come about."""
    return _without_next_number(difference.wanted) == _without_next_number(difference.got)


def _without_next_number(turn: Turn) -> list[bytes]:
    return [_NEXT_NUMBER.sub(b"", payload) for _, payload in turn.packets]


def _of_two_snapshots(difference: Difference) -> bool:
    """Refused in a read-only transaction, because others have written since its reads ran on a replica."""
    return "its reads ran on a replica" in difference.refusal


def _of_another_type(difference: Difference) -> bool:
    """The text of an error about a parameter that had a value of another type in an execution before."""
    last = difference.steps[-1]
    before = [step for step in difference.steps[:-1] if step.kind is Kind.EXECUTE and step.handle == last.handle]
    return last.kind is Kind.EXECUTE and any(step.values != last.values for step in before)


def _behind_a_change_of_user(difference: Difference) -> bool:
    """FOUND_ROWS() of before a COM_CHANGE_USER, which outlasts that on servers."""
    changed = any(step.kind is Kind.CHANGE_USER for step in difference.steps[:-1])
    asked = [step.text for step in difference.steps if "FOUND_ROWS()" in step.text]
    return changed and ("FOUND_ROWS()" in _text(difference.steps) or (bool(asked) and "@" in difference.steps[-1].text))


def _of_another_plan(difference: Difference) -> bool:
    """What MySQL says of the columns of SHOW TABLES depends on its plan, which with a limit is each server's own."""
    limited = any("sql_select_limit" in step.text for step in difference.steps[:-1])
    tables = re.match(r"SHOW (FULL )?TABLES", difference.steps[-1].text)
    return limited and bool(tables) and difference.only_in_definitions


def _of_another_order(difference: Difference) -> bool:
    """With few rows it is by chance of the tables' statistics which of two a server reads first, and whether through an
    index. MySQL answers SHOW from tables."""
    return bool(_JOINS.search(_text(difference.steps))) and difference.only_in_use_of_indexes


def _types_of_variables(difference: Difference) -> bool:
    """What is executed once more of a prepared statement with user variables: on MySQL they keep the types that they
    had when it was first executed on the connection."""
    last = difference.steps[-1]
    executed = [step for step in difference.steps if step.kind is Kind.EXECUTE and step.handle == last.handle]
    again = last.kind is Kind.EXECUTE and len(executed) > 1
    return again and "@" in _text(difference.steps) and difference.in_definitions


def _without_a_connection(difference: Difference) -> bool:
    """No connection became free in time, on a slow machine with few of them."""
    return "server_connection_wait" in difference.refusal


KNOWN: Final[tuple[Callable[[Difference], bool], ...]] = (
    _of_two_snapshots,
    _next_number,
    _of_a_connection_that_went,
    _list_of_several_commands,
    _resignalled,
    _list_of_another_character_set,
    _number_in_a_list,
    _of_a_procedure,
    _behind_a_change_of_user,
    _types_of_variables,
    _without_a_connection,
    _of_another_type,
    _of_another_order,
    _of_another_plan,
    _never_set,
    _null_of_another_type,
    _rows_behind_a_call,
    _rows_before_any_select,
    _rows_beside_others,
    _rows_behind_locked_tables,
    _rows_of_an_earlier_union,
    _set_by_a_trigger,
)


def known_as(difference: Difference) -> str | None:
    """The name of the first of them that it is."""
    return next((known.__name__.removeprefix("_") for known in KNOWN if known(difference)), None)
