"""Replies in one layout become those of another, as a server with the client's layout would have written them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.capabilities import Layout
from proxy.wire.constants import MAX_PAYLOAD
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange
from proxy.wire.framing import frame
from proxy.wire.replygrammar import Reply
from proxy.wire.translator import Translator, differs

EOF, OK = Layout(), Layout(deprecate_eof=True)
RICH, RICH_OK = (Layout(eof, metadata_flag=True, extended_metadata=True) for eof in (False, True))
TRACKED = Layout(session_track=True)
AUTOCOMMIT, MORE, CURSOR, OUT, CHANGED = 0x2, 0x8, 0x40, 0x1000, 0x4000
COLUMN = b"\x03def\0\0\0\1c\0\x0c\x2d\0\4\0\0\0\xfd\0\0\0\0\0"
EXTENDED = b"\x03def\0\0\0\1c\0\0\x0c\x2d\0\4\0\0\0\xfd\0\0\0\0\0"
ERR = b"\xff\x28\x04#42000no"
ROWS = [b"\1a", b"\xfb", b"\5hello", b"\xfc\x2c\1" + b"x" * 300]


def ok(status: int = AUTOCOMMIT, header: int = 0, rest: bytes = b"", warnings: int = 0) -> bytes:
    return bytes((header, 0, 0)) + status.to_bytes(2, "little") + warnings.to_bytes(2, "little") + rest


def end(layout: Layout, status: int = AUTOCOMMIT, warnings: int = 0) -> bytes:
    if layout.deprecate_eof:
        return ok(status, 0xFE, warnings=warnings)
    return b"\xfe" + warnings.to_bytes(2, "little") + status.to_bytes(2, "little")


def between(layout: Layout, count: int = 1) -> list[bytes]:
    return [] if layout.deprecate_eof else [end(layout)] * count


def columns_of(layout: Layout, count: int = 1) -> list[bytes]:
    follow = b"\1" if layout.metadata_flag else b""
    return [bytes((count,)) + follow, *[EXTENDED if layout.extended_metadata else COLUMN] * count]


def result(layout: Layout, columns: int = 1, status: int = AUTOCOMMIT) -> list[bytes]:
    return [*columns_of(layout, columns), *between(layout), *ROWS, end(layout, status, 3)]


def prepared(layout: Layout, parameters: int, columns: int) -> list[bytes]:
    head = b"\0\7\0\0\0" + columns.to_bytes(2, "little") + parameters.to_bytes(2, "little") + bytes(3)
    groups = [[*columns_of(layout, count)[1:], *between(layout)] for count in (parameters, columns) if count]
    return [head, *(packet for group in groups for packet in group)]


def replies(layout: Layout) -> dict[str, tuple[Reply, list[bytes]]]:
    """The same replies in each layout, as servers write them."""
    more = result(layout, 2, AUTOCOMMIT | MORE)
    cursor = [*columns_of(layout), end(layout, CURSOR | AUTOCOMMIT)]
    return {
        "ok": (Reply.RESULT, [ok()]),
        "error": (Reply.RESULT, [ERR]),
        "eof as an answer": (Reply.RESULT, [end(layout)]),
        "rows": (Reply.RESULT, result(layout, 3)),
        "no rows": (Reply.RESULT, [*columns_of(layout), *between(layout), end(layout)]),
        "many rows": (Reply.RESULT, [*columns_of(layout), *between(layout), *ROWS * 100, end(layout)]),
        "several": (Reply.RESULT, [*more, ok(AUTOCOMMIT | MORE), *more, ok()]),
        "error among columns": (Reply.RESULT, [*columns_of(layout, 2)[:2], ERR]),
        "error instead of rows": (Reply.RESULT, [*columns_of(layout), *between(layout), ERR]),
        "error among rows": (Reply.RESULT, [*result(layout)[:-1], ERR]),
        "error in the second": (Reply.RESULT, [*more, ERR]),
        "cursor": (Reply.RESULT, cursor),
        "fetched": (Reply.ROWS, [*ROWS, end(layout, 0x82)]),
        "fetched nothing": (Reply.ROWS, [end(layout)]),
        "field list": (Reply.ROWS, [COLUMN, COLUMN, end(layout)]),
        "prepared": (Reply.PREPARED, prepared(layout, 2, 3)),
        "prepared without parameters": (Reply.PREPARED, prepared(layout, 0, 2)),
        "prepared without columns": (Reply.PREPARED, prepared(layout, 2, 0)),
        "prepared without either": (Reply.PREPARED, prepared(layout, 0, 0)),
        "prepare refused": (Reply.PREPARED, [ERR]),
        "statistics": (Reply.SINGLE, [b"Uptime: 5"]),
    }


NAMES = sorted(replies(EOF))
BOTH_WAYS = pytest.mark.parametrize(
    ("server", "client"),
    [(EOF, OK), (OK, EOF), (OK, RICH_OK), (EOF, RICH_OK), (EOF, RICH), (OK, RICH)],
    ids=["eof to ok", "ok to eof", "ok to rich", "eof to rich ok", "eof to rich", "ok to rich eof"],
)


def framed(payloads: list[bytes]) -> bytes:
    return b"".join(frame(payload, number + 1 & 0xFF) for number, payload in enumerate(payloads))


def translated(shape: Reply, chunks: list[bytes], server: Layout, client: Layout) -> tuple[bytes, int]:
    translator = Translator(shape, server, client)
    return b"".join(translator.feed(chunk) for chunk in chunks), translator.sequence


@BOTH_WAYS
@pytest.mark.parametrize("name", NAMES)
def test_a_reply_is_as_the_other_server_would_have_written_it(name: str, server: Layout, client: Layout) -> None:
    shape, given_out = replies(server)[name]
    wanted = replies(client)[name][1]
    data = framed(given_out)
    cuts = [[data], [bytes((byte,)) for byte in data]]
    cuts += [[data[:at], data[at:]] for at in range(1, min(len(data), 400))]
    for chunks in cuts:
        assert translated(shape, chunks, server, client) == (framed(wanted), len(wanted) & 0xFF)


@BOTH_WAYS
@pytest.mark.parametrize("name", NAMES)
def test_what_comes_out_is_a_reply_of_the_clients_layout(name: str, server: Layout, client: Layout) -> None:
    shape, given_out = replies(server)[name]
    data, _ = translated(shape, [framed(given_out)], server, client)
    exchange = Exchange(shape, client)
    assert exchange.feed(data) == len(data)
    assert exchange.done


@BOTH_WAYS
def test_a_row_of_many_packets_passes(server: Layout, client: Layout) -> None:
    head = framed([*columns_of(server), *between(server)])
    number = 4 - server.deprecate_eof
    large = b"\xff\xff\xff" + bytes((number,)) + b"\xfd" + bytes(MAX_PAYLOAD - 1)
    rest = b"\5\0\0" + bytes((number + 1,)) + b"\xfe\0\0\2\0" + frame(end(server), number + 2)
    out, sequence = translated(Reply.RESULT, [head, large[:100], large[100:], rest[:2], rest[2:]], server, client)
    number = 4 - client.deprecate_eof
    assert out.startswith(
        framed([*columns_of(client), *between(client)]) + b"\xff\xff\xff" + bytes((number,)) + b"\xfd\0"
    )
    assert out.endswith(b"\5\0\0" + bytes((number + 1,)) + b"\xfe\0\0\2\0" + frame(end(client), number + 2))
    assert sequence == number + 2


def test_out_parameters_of_mysql_are_followed_by_an_ok() -> None:
    eof = [b"\1", COLUMN, end(EOF, OUT | MORE | AUTOCOMMIT), b"\0\0\6\0\0\0", end(EOF, AUTOCOMMIT), ok()]
    wanted = [b"\1", COLUMN, b"\0\0\6\0\0\0", end(OK, MORE | AUTOCOMMIT), ok()]
    assert translated(Reply.RESULT, [framed(eof)], EOF, OK)[0] == framed(wanted)


@pytest.mark.parametrize("deprecate", [False, True])
def test_session_state_that_the_client_did_not_ask_for_is_taken_out(deprecate: bool) -> None:
    # As recorded from a USE, and from an UPDATE with a message.
    server, client = Layout(deprecate, session_track=True), Layout(deprecate)
    state = b"\5\1\3\2x1"
    given_out = [ok(CHANGED | MORE | AUTOCOMMIT, rest=b"\0" + state), ok(CHANGED | AUTOCOMMIT, rest=b"\4Rows" + state)]
    wanted = [ok(MORE | AUTOCOMMIT), ok(AUTOCOMMIT, rest=b"\4Rows")]
    assert translated(Reply.RESULT, [framed(given_out)], server, client)[0] == framed(wanted)
    kept = [ok(MORE | AUTOCOMMIT, rest=b"\4Rows"), *result(server)]
    assert translated(Reply.RESULT, [framed(kept)], server, client)[0] == framed(kept)
    if deprecate:
        rows = [b"\1", COLUMN, b"\1a", ok(CHANGED | AUTOCOMMIT, 0xFE, b"\0" + state)]
        assert translated(Reply.RESULT, [framed(rows)], server, client)[0] == framed([*rows[:-1], end(OK)])
        assert translated(Reply.RESULT, [framed(rows)], server, EOF)[0] == framed(
            [*rows[:2], end(EOF), b"\1a", end(EOF)]
        )


def test_only_what_looks_different_is_translated() -> None:
    assert differs(EOF, OK)
    assert differs(OK, EOF)
    assert not differs(TRACKED, EOF)
    assert not differs(EOF, TRACKED)
    assert not differs(EOF, EOF)
    assert differs(EOF, Layout(metadata_flag=True))
    assert differs(EOF, Layout(extended_metadata=True))
    assert not differs(Layout(progress=True), Layout(progress=True, local_files=True))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.sampled_from([(EOF, OK), (OK, EOF), (EOF, RICH_OK)]),
    st.data(),
    st.binary(max_size=12),
    st.integers(0, 200),
    st.sampled_from([0, 1]),
)
def test_any_bytes_are_translated_or_malformed(
    name: str, layouts: tuple[Layout, Layout], data: st.DataObject, noise: bytes, at: int, step: int
) -> None:
    server, client = layouts
    shape, given_out = replies(server)[name]
    whole = framed(given_out)
    whole = whole[:at] + noise + whole[at + step * len(noise) :]
    outcomes = []
    for chunks in ([whole], [bytes((byte,)) for byte in whole]):
        exchange, translator, out = Exchange(shape, server), Translator(shape, server, client), b""
        try:
            for chunk in chunks:
                if not exchange.done:
                    used = exchange.feed(chunk)
                    out += translator.feed(chunk[:used])
        except MalformedPacket:
            outcomes.append(b"malformed")
            continue
        outcomes.append(out)
    assert outcomes[0] == outcomes[1]


def test_a_definition_that_ends_too_early_is_not_extended() -> None:
    with pytest.raises(MalformedPacket):
        translated(Reply.RESULT, [framed([b"\1", b"\3def\0\0\x20"])], OK, RICH_OK)
