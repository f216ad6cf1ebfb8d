"""Which texts a parser must not be given: those that would crash it or keep it busy for seconds.

The compiled parser of sqlglot recurses in C where parentheses follow FROM, and ends the process when the stack is used
up. And it tries again at each JOIN that has no condition of its own, which doubles its time with every such JOIN.
Both were observed with sqlglot 30.
"""

from collections.abc import Sequence
from typing import Final

from sqlglot.tokenizer_core import Token, TokenType

MAX_DEPTH: Final = 100
MAX_OPEN_JOINS: Final = 8

_DEEPER: Final = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_SHALLOWER: Final = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_JOINS: Final = frozenset({TokenType.JOIN, TokenType.STRAIGHT_JOIN})
_CONDITIONS: Final = frozenset({TokenType.ON, TokenType.USING})


def too_complex(tokens: Sequence[Token]) -> bool:
    """Whether parentheses are nested deeper than MAX_DEPTH, or more than MAX_OPEN_JOINS joins wait for a condition."""
    depth = joins = 0
    for token in tokens:
        kind = token.token_type
        if kind in _DEEPER:
            depth += 1
        elif kind in _SHALLOWER:
            depth -= 1
        elif kind in _JOINS:
            joins += 1
        elif kind in _CONDITIONS and joins:
            joins -= 1
        if depth > MAX_DEPTH or joins > MAX_OPEN_JOINS:
            return True
    return False
