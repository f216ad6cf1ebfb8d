"""Random sequences of steps, each reproducible from two numbers."""

from dataclasses import replace
from random import Random
from typing import Final

from tests.differential import prepared, programs, reads, rows, settings, transactions
from tests.differential.draw import Draw, Generator
from tests.differential.steps import Kind, Step, query
from topology.servers import Vendor

LENGTH: Final = 12
_LONGEST_SHORT: Final = 9
# What can be asked about the statement before.
_QUESTIONS: Final = (
    *(
        "SELECT ROW_COUNT()",
        "SELECT FOUND_ROWS()",
        "SELECT LAST_INSERT_ID()",
        "SELECT @@identity",
        "SELECT @@insert_id",
    ),
    *("SHOW WARNINGS", "SHOW WARNINGS LIMIT 1", "SHOW ERRORS", "SHOW COUNT(*) WARNINGS", "SELECT @p1, @p2"),
    *("SELECT @@warning_count", "SELECT @@error_count", "SELECT ROW_COUNT(), @@warning_count"),
    *("SELECT ROW_COUNT(), FOUND_ROWS()", "GET DIAGNOSTICS @p1 = NUMBER, @p2 = ROW_COUNT"),
    "GET DIAGNOSTICS CONDITION 1 @p1 = MYSQL_ERRNO, @p2 = MESSAGE_TEXT",
)
# So many of the steps come after a moment in which replicas catch up: else few reads after a write would leave the
# primary.
_PAUSED: Final = 0.5
# Of all generators a sequence knows a few only, so that what it draws has to do with what it drew before.
_KNOWN: Final = 6

_ALWAYS: Final[tuple[tuple[int, Generator], ...]] = (
    (8, reads.read),
    (4, reads.settings),
    (4, reads.of_variables),
    (2, rows.left),
)
_SOMETIMES: Final[tuple[tuple[int, Generator], ...]] = (
    (6, settings.variable),
    (4, settings.valid_variable),
    (3, settings.set_back),
    (5, settings.names),
    (6, settings.modes),
    (3, settings.depends_on_mode),
    (3, settings.roles),
    (4, transactions.begin),
    (4, transactions.end),
    (1, transactions.release),
    (4, transactions.autocommit),
    (4, transactions.characteristics),
    (4, transactions.savepoint),
    (5, transactions.whole),
    (2, transactions.xa),
    (5, transactions.named_lock),
    (4, transactions.table_locks),
    (3, transactions.handler),
    (8, rows.write),
    (8, rows.noted_read),
    (3, rows.diagnostics),
    (3, rows.get_diagnostics),
    (5, rows.tables),
    (7, rows.temporary),
    (4, reads.show),
    (8, reads.user_variables),
    (5, reads.schema),
    (2, reads.dropped_schema),
    (8, prepared.binary),
    (6, prepared.execute_again),
    (4, prepared.cursor),
    (3, prepared.long_data),
    (4, prepared.commands),
    (6, prepared.as_text),
    (4, prepared.named),
    (5, programs.call),
    (4, programs.function),
    (4, programs.trigger),
    (2, programs.create_program),
    (4, programs.connection),
    (6, programs.several),
    (2, programs.option),
    (2, programs.small),
)
_OF_MARIADB: Final[tuple[tuple[int, Generator], ...]] = (
    (4, rows.sequences),
    (3, prepared.immediate),
    (3, settings.set_statement),
)


def sequence(seed: int, number: int, vendor: Vendor, length: int = LENGTH) -> list[Step]:
    """Sequence `number` of `seed`: about `length` steps."""
    draw = Draw(Random(f"{seed}/{number}"), vendor)
    known = _ALWAYS + tuple(_some(draw))
    weights = [weight for weight, _ in known]
    steps: list[Step] = []
    while len(steps) < length:
        (_, generator), *_ = draw.random.choices(known, weights)
        steps += generator(draw)
    return [_paused(step, draw) for step in steps]


def short(seed: int, number: int, vendor: Vendor) -> list[Step]:
    """Short sequence `number` of `seed`: statements of any kind, and questions about them. Most steps pause before."""
    draw = Draw(Random(f"{seed}/{number}"), vendor)
    generators = [generator for _, generator in _ALWAYS + _SOMETIMES + (_OF_MARIADB if draw.mariadb else ())]
    steps: list[Step] = []
    for _ in range(draw.one((1, 2, 2, 3))):
        steps += draw.one(generators)(draw)
        if draw.chance(0.3):
            steps.append(query(draw.one(_QUESTIONS)))
    steps += [query(draw.one(_QUESTIONS)) for _ in range(draw.one((1, 2, 3)))]
    return [replace(step, pause=draw.chance(0.6)) for step in steps[:_LONGEST_SHORT]]


def _some(draw: Draw) -> list[tuple[int, Generator]]:
    return draw.random.sample(_SOMETIMES + (_OF_MARIADB if draw.mariadb else ()), _KNOWN)


def _paused(step: Step, draw: Draw) -> Step:
    reads_something = step.kind in (Kind.QUERY, Kind.EXECUTE)
    return replace(step, pause=True) if reads_something and draw.chance(_PAUSED) else step
