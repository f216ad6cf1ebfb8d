"""Result sets of the proxy's own, in every layout that can be agreed."""

import itertools

import pytest

from proxy.wire import constants as c
from proxy.wire.capabilities import layout_of
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.resultset import Column, ResultForm, result_set

FLAGS = (
    c.CLIENT_DEPRECATE_EOF,
    c.CLIENT_SESSION_TRACK,
    c.CLIENT_OPTIONAL_RESULTSET_METADATA,
    c.MARIADB_CLIENT_EXTENDED_METADATA,
)
ALL = [sum(chosen) for size in range(len(FLAGS) + 1) for chosen in itertools.combinations(FLAGS, size)]


@pytest.mark.parametrize("flags", ALL)
@pytest.mark.parametrize("count", [0, 1, 300])
def test_a_reply_is_over_where_it_ends(flags: int, count: int) -> None:
    rows: list[tuple[str | int | None, ...]] = [("x" * 300, number, None) for number in range(count)]
    form = ResultForm(flags, status=c.SERVER_STATUS_AUTOCOMMIT)
    reply = result_set((Column("a"), Column("b", number=True), Column("c")), rows, form)
    exchange = Exchange(Reply.RESULT, layout_of(flags))
    exchange.feed(reply[:-1])
    assert not exchange.done
    exchange.feed(reply[-1:])
    assert (exchange.done, exchange.errno, exchange.status) == (True, 0, c.SERVER_STATUS_AUTOCOMMIT)


def test_texts_are_in_the_sessions_character_set() -> None:
    form = ResultForm(0, "latin1", "cp1252")
    reply = result_set((Column("a"),), [("grün 世",)], form)
    assert b"gr\xfcn ?" in reply
    assert b"\x0c" + (5).to_bytes(2, "little") in reply
