"""A statement's facts, and which other texts share them."""

from typing import NamedTuple

from proxy.sql.statement import Statement


class Verdict(NamedTuple):
    """Texts of equal digest have equal facts, unless these hang on literals: then (`alone`) only equal texts do."""

    statement: Statement
    alone: bool = False
