"""Every shape of reply, however it is cut into chunks, ends where it ends and with the status that it has."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.capabilities import Layout
from proxy.wire.constants import MAX_PAYLOAD
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from proxy.wire.openings import Openings
from proxy.wire.primitives import lenenc_int

AUTOCOMMIT, IN_TRANS, MORE, CURSOR, OUT = 0x2, 0x1, 0x8, 0x40, 0x1000


def ok(status: int = AUTOCOMMIT, header: int = 0, rows: int = 0, info: bytes = b"") -> bytes:
    return bytes((header,)) + lenenc_int(rows) + lenenc_int(0) + status.to_bytes(2, "little") + b"\0\0" + info


def eof(status: int = AUTOCOMMIT) -> bytes:
    return b"\xfe\0\0" + status.to_bytes(2, "little")


def err(errno: int = 1064) -> bytes:
    return b"\xff" + errno.to_bytes(2, "little") + b"#42000You have an error"


# As recorded from an ALTER TABLE of MariaDB 10.11.
PROGRESS = b"\xff\xff\xff\x01\x01\x02\x82\x06\x00\x11copy to tmp table"


def column(name: bytes = b"c") -> bytes:
    return (
        b"\x03def\x00\x00\x00"
        + lenenc_int(len(name))
        + name
        + b"\x00\x0c\x2d\x00\x04\x00\x00\x00\xfd\x00\x00\x00\x00\x00"
    )


def end_rows(deprecate: bool, status: int = AUTOCOMMIT, info: bytes = b"") -> bytes:
    return ok(status, 0xFE, info=info) if deprecate else eof(status)


def result(deprecate: bool, columns: int, rows: list[bytes], status: int = AUTOCOMMIT) -> list[bytes]:
    middle = [] if deprecate else [eof()]
    return [lenenc_int(columns), *[column()] * columns, *middle, *rows, end_rows(deprecate, status)]


def out_parameters(deprecate: bool, status: int) -> list[bytes]:
    middle = [] if deprecate else [eof(OUT | MORE | AUTOCOMMIT)]
    return [b"\x01", column(), *middle, b"\x00\x00\x06\x00\x00\x00", end_rows(deprecate, status)]


def prepared(deprecate: bool, parameters: int, columns: int) -> list[bytes]:
    head = (
        b"\0" + (7).to_bytes(4, "little") + columns.to_bytes(2, "little") + parameters.to_bytes(2, "little") + b"\0\0\0"
    )
    packets = [head]
    for count in (parameters, columns):
        packets += [column()] * count + ([eof()] if count and not deprecate else [])
    return packets


@dataclass
class Case:
    name: str
    reply: Reply
    layout: Layout
    payloads: list[bytes] = field(repr=False)
    status: int = AUTOCOMMIT
    errno: int = 0
    begun: bool = True
    prepared: tuple[int, int, int] | None = None
    file_wanted: bool = False

    @property
    def bytes(self) -> bytes:
        return b"".join(frame(payload, number + 1 & 0xFF) for number, payload in enumerate(self.payloads))


def cases(deprecate: bool) -> Iterator[Case]:
    def case(name: str, reply: Reply, payloads: list[bytes], **facts: object) -> Case:
        return Case(name, reply, Layout(deprecate), payloads, **facts)  # type: ignore[arg-type]

    rows = [b"\x01a", b"\xfb", b"\x00", b"\x05hello", b"\xfc\x2c\x01" + b"x" * 300, b"\xfd\x00\x01\x00y"]
    yield case("ok", Reply.RESULT, [ok()])
    yield case(
        "ok with session state", Reply.RESULT, [ok(IN_TRANS | AUTOCOMMIT, info=b"\x00\x07\x01\x05\x04abcd")], status=3
    )
    yield case("ok with large numbers", Reply.RESULT, [ok(rows=2**40)])
    yield case("error", Reply.RESULT, [err()], errno=1064, status=-1, begun=False)
    yield case("error without sqlstate", Reply.RESULT, [b"\xff\x10\x04x"], errno=1040, status=-1, begun=False)
    yield case("end of file as an answer", Reply.RESULT, [end_rows(deprecate, 0x22)], status=0x22)
    yield case("no rows", Reply.RESULT, result(deprecate, 1, []))
    yield case("rows", Reply.RESULT, result(deprecate, 2, rows))
    yield case("many rows", Reply.RESULT, result(deprecate, 3, rows * 60))
    yield case("300 columns", Reply.RESULT, result(deprecate, 300, [b"\x00" * 300]))
    yield case("binary rows", Reply.RESULT, result(deprecate, 1, [b"\x00\x00\x01\x00\x00\x00", b"\x00\x04"]))
    yield case("rows in a transaction", Reply.RESULT, result(deprecate, 1, rows, IN_TRANS), status=IN_TRANS)
    yield case(
        "error instead of rows",
        Reply.RESULT,
        [*result(deprecate, 1, [])[:-1], err(1317)],
        errno=1317,
        status=-1 if deprecate else 2,
    )
    yield case(
        "error after rows",
        Reply.RESULT,
        [*result(deprecate, 1, rows)[:-1], err(3024)],
        errno=3024,
        status=-1 if deprecate else 2,
    )
    yield case("error among columns", Reply.RESULT, [b"\x03", column(), err(1041)], errno=1041, status=-1)
    yield case("error as the last column", Reply.RESULT, [b"\x02", column(), err(1041)], errno=1041, status=-1)
    yield case("error instead of columns", Reply.RESULT, [b"\x01", err(1041)], errno=1041, status=-1)
    more = result(deprecate, 1, rows, AUTOCOMMIT | MORE)
    yield case("two results", Reply.RESULT, [*more, *result(deprecate, 2, rows)])
    yield case("results and an ok", Reply.RESULT, [*more, ok(AUTOCOMMIT | MORE), *more, ok(IN_TRANS)], status=IN_TRANS)
    yield case("oks", Reply.RESULT, [ok(MORE | AUTOCOMMIT)] * 3 + [ok()])
    yield case("error in the second result", Reply.RESULT, [*more, err(1146)], errno=1146, status=AUTOCOMMIT | MORE)
    begun = [ok(MORE | IN_TRANS), *result(deprecate, 3, rows)[:-1], err(1317)]
    yield case(
        "error in the rows behind an ok", Reply.RESULT, begun, errno=1317, status=MORE | IN_TRANS if deprecate else 2
    )
    yield case("error after an ok", Reply.RESULT, [ok(MORE | IN_TRANS), err(1146)], errno=1146, status=MORE | IN_TRANS)
    yield case("out parameters", Reply.RESULT, [*more, *out_parameters(deprecate, OUT | MORE | AUTOCOMMIT), ok()])
    if deprecate:
        cursor = [b"\x01", column(), ok(CURSOR | AUTOCOMMIT, 0xFE)]
        yield case("long end of rows", Reply.RESULT, [b"\x01", column(), b"\x01x", end_rows(True, info=b"\x00" * 400)])
        yield case("rows of 0xfe", Reply.RESULT, result(True, 1, [b"\xfd\xff\xff\x00" + b"\xfe" * 0xFFFF]))
    else:
        cursor = [b"\x01", column(), eof(CURSOR | AUTOCOMMIT)]
        # As MySQL 9.7 writes them: nothing behind the row tells of the OK.
        yield case("out parameters of MySQL", Reply.RESULT, [*out_parameters(False, AUTOCOMMIT), ok()])
        yield case("short eof in old style", Reply.RESULT, [b"\x01", column(), eof(), b"\xfe\0\0\x02\0"])
        yield case(
            "row that begins like an eof", Reply.RESULT, result(False, 1, [b"\xfe" + bytes(8) + b"x", b"\xfe" * 9])
        )
    yield case("cursor", Reply.RESULT, cursor, status=CURSOR | AUTOCOMMIT)
    yield case("fetched", Reply.ROWS, [*rows, end_rows(deprecate, 0x82)], status=0x82)
    yield case("fetched nothing", Reply.ROWS, [end_rows(deprecate)])
    yield case("fetch refused", Reply.ROWS, [err(1243)], errno=1243, status=-1, begun=False)
    yield case("field list", Reply.ROWS, [column(), column(), end_rows(deprecate)])
    for parameters, columns in ((0, 0), (1, 0), (0, 2), (3, 2), (300, 300)):
        yield case(
            f"prepared {parameters} {columns}", Reply.PREPARED, prepared(deprecate, parameters, columns), status=-1,
            prepared=(7, columns, parameters),
        )  # fmt: skip
    yield case("prepare refused", Reply.PREPARED, [err(1295)], errno=1295, status=-1, begun=False)
    yield case(
        "error among parameters",
        Reply.PREPARED,
        [*prepared(deprecate, 2, 1)[:2], err(1041)],
        errno=1041,
        status=-1,
        prepared=(7, 1, 2),
    )
    yield case("statistics", Reply.SINGLE, [b"Uptime: 5"], status=-1)
    yield case("statistics refused", Reply.SINGLE, [err(1227)], errno=1227, status=-1, begun=False)


def of_other_layouts(deprecate: bool) -> Iterator[Case]:
    rows = [b"\x01a", b"\xfb", b"\x05hello"]
    empty = [] if deprecate else [eof()]
    more = result(deprecate, 1, rows, AUTOCOMMIT | MORE)

    flagged = Layout(deprecate, metadata_flag=True)
    for columns in (1, 250, 251, 300):
        count = lenenc_int(columns)
        told = [count + b"\1", *result(deprecate, columns, rows)[1:]]
        yield Case(f"{columns} columns that follow", Reply.RESULT, flagged, told)
        told = [count + b"\0", *empty, *rows, end_rows(deprecate, IN_TRANS)]
        yield Case(f"{columns} columns that do not follow", Reply.RESULT, flagged, told, status=IN_TRANS)
    yield Case("nothing follows", Reply.RESULT, flagged, [b"\1\0", *empty, end_rows(deprecate)])
    first = [b"\2\0", *empty, b"\x01a", end_rows(deprecate, MORE)]
    yield Case("a second that follows", Reply.RESULT, flagged, [*first, b"\2\1", *result(deprecate, 2, rows)[1:]])
    cursor = [b"\2\0", ok(CURSOR, 0xFE) if deprecate else eof(CURSOR)]
    yield Case("cursor without columns", Reply.RESULT, flagged, cursor, status=CURSOR)
    yield Case("error without columns", Reply.RESULT, flagged, [b"\2\0", err(1317)], errno=1317, status=-1)
    for parameters, columns in ((0, 0), (2, 0), (0, 2), (2, 2)):
        head, *definitions = prepared(deprecate, parameters, columns)
        ends = empty * ((parameters > 0) + (columns > 0))
        for name, payloads in (
            ("that follow", [head + b"\1", *definitions]),
            ("that do not follow", [head + b"\0", *ends]),
            ("without a flag", [head, *definitions]),
        ):
            numbers = (7, columns, parameters)
            name = f"prepared {parameters} {columns} {name}"
            yield Case(name, Reply.PREPARED, flagged, payloads, status=-1, prepared=numbers)

    reporting = Layout(deprecate, progress=True)
    yield Case("progress", Reply.RESULT, reporting, [PROGRESS] * 3 + [ok()])
    yield Case("progress and an error", Reply.RESULT, reporting, [PROGRESS, err()], errno=1064, status=-1)
    head, *middle, end = result(deprecate, 1, rows)
    yield Case("progress everywhere", Reply.RESULT, reporting, [PROGRESS, head, PROGRESS, *middle, PROGRESS, end])
    yield Case("no progress", Reply.RESULT, Layout(deprecate), [PROGRESS], errno=0xFFFF, status=-1, begun=False)

    sending = Layout(deprecate, local_files=True)
    yield Case("file", Reply.RESULT, sending, [b"\xfb/a/file", ok()], file_wanted=True)
    yield Case("file without a name", Reply.RESULT, sending, [b"\xfb", ok()], file_wanted=True)
    refused = [b"\xfbf", err(1366)]
    yield Case("file with an error", Reply.RESULT, sending, refused, errno=1366, status=-1, file_wanted=True)
    several = [*more, b"\xfbf", ok(MORE), b"\xfbg", ok(MORE), *result(deprecate, 2, rows)]
    yield Case("files among results", Reply.RESULT, sending, several, file_wanted=True)


CASES = [case for deprecate in (True, False) for case in (*cases(deprecate), *of_other_layouts(deprecate))]
every_case = pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.name}-{'ok' if case.layout.deprecate_eof else 'eof'}"
)


def check(case: Case, exchange: Exchange) -> None:
    found = (exchange.done, exchange.status, exchange.errno, exchange.begun, exchange.prepared, exchange.boundary)
    assert found == (True, case.status, case.errno, case.begun, case.prepared, True)
    assert exchange.file_wanted == case.file_wanted
    assert exchange.sequence == len(case.payloads) & 0xFF


def feed(case: Case, chunks: list[bytes]) -> Exchange:
    exchange = Exchange(case.reply, case.layout)
    for chunk in chunks:
        assert not exchange.done
        assert exchange.feed(chunk) == len(chunk)
    return exchange


@every_case
def test_whole(case: Case) -> None:
    check(case, feed(case, [case.bytes]))


@every_case
def test_byte_by_byte(case: Case) -> None:
    check(case, feed(case, [bytes((byte,)) for byte in case.bytes]))


@every_case
def test_cut_in_two_at_every_place(case: Case) -> None:
    data = case.bytes
    for at in range(1, len(data)) if len(data) < 3000 else [*range(1, 400), *range(len(data) - 400, len(data))]:
        check(case, feed(case, [data[:at], data[at:]]))


@every_case
def test_packet_by_packet_with_headers_apart(case: Case) -> None:
    chunks = []
    for number, payload in enumerate(case.payloads):
        packet = frame(payload, number + 1 & 0xFF)
        chunks += [packet[:4], packet[4:]]
    check(case, feed(case, chunks))


@every_case
def test_what_comes_behind_is_not_taken(case: Case) -> None:
    data = case.bytes
    for behind in (b"\x07", frame(ok(), 1), frame(err(), 1), b"\xff" * 9):
        exchange = Exchange(case.reply, case.layout)
        assert exchange.feed(data + behind) == len(data)
        check(case, exchange)
        late = Exchange(case.reply, case.layout)
        assert late.feed(data[:-1]) == len(data) - 1
        assert late.feed(data[-1:] + behind) == 1
        check(case, late)


@every_case
def test_a_known_opening_changes_nothing(case: Case) -> None:
    openings, data = Openings(), case.bytes
    cuts = range(len(data)) if len(data) < 1500 else [*range(200), *range(len(data) - 50, len(data))]
    for at in [0, *cuts]:
        exchange = Exchange(case.reply, case.layout)
        exchange.openings = openings
        for chunk in filter(None, (data[:at], data[at:])):
            assert exchange.feed(chunk) == len(chunk)
        check(case, exchange)
        behind = Exchange(case.reply, case.layout)
        behind.openings = openings
        assert behind.feed(data + b"\1\0\0\1\1") == len(data)
        check(case, behind)


@every_case
def test_it_is_at_a_boundary_only_between_packets(case: Case) -> None:
    exchange = Exchange(case.reply, case.layout)
    ends = {0}
    for payload in case.payloads:
        ends.add(max(ends) + 4 + len(payload))
    for seen, byte in enumerate(case.bytes[:2000], 1):
        exchange.feed(bytes((byte,)))
        assert exchange.boundary == (seen in ends)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CASES), st.data())
def test_chunking_never_changes_the_outcome(case: Case, data: st.DataObject) -> None:
    rest, chunks = case.bytes, []
    while rest:
        size = data.draw(st.integers(1, max(1, min(len(rest), 700))))
        chunks.append(rest[:size])
        rest = rest[size:]
    check(case, feed(case, chunks))


@pytest.mark.parametrize(("counts", "warned"), [((0, 0), False), ((0, 1), True), ((1, 0), True)])
def test_a_later_statement_may_leave_the_warnings_of_an_earlier_one(counts: tuple[int, int], warned: bool) -> None:
    exchange = Exchange(Reply.RESULT, Layout(deprecate_eof=True))
    for count, status in zip(counts, (AUTOCOMMIT | MORE, AUTOCOMMIT), strict=True):
        exchange.feed(frame(ok(status)[:-2] + count.to_bytes(2, "little"), 1))
    assert exchange.done
    assert exchange.warned is warned


def test_a_command_without_reply_is_done_at_once() -> None:
    exchange = Exchange(Reply.NONE, Layout())
    assert exchange.done
    assert exchange.feed(b"abc") == 0


@pytest.mark.parametrize("deprecate", [True, False])
@pytest.mark.parametrize("second", [b"\xfe\0\0\x02\0", b"\xff\x10\x04", b"\xfe" * 8, b"", b"\x00", b"\xfb"])
def test_the_second_packet_of_a_large_row_decides_nothing(second: bytes, deprecate: bool) -> None:
    head = [b"\x01", column()] + ([] if deprecate else [eof()])
    begin = b"".join(frame(payload, number + 1) for number, payload in enumerate(head))
    large = b"\xfd" + (MAX_PAYLOAD - 4).to_bytes(3, "little") + bytes(MAX_PAYLOAD - 4)
    large_packet = MAX_PAYLOAD.to_bytes(3, "little") + b"\x09" + large
    rest = (
        len(second).to_bytes(3, "little")
        + b"\x0a"
        + second
        + frame(b"\x01x", 11)
        + frame(end_rows(deprecate, 0x22), 12)
    )
    for cuts in ([large_packet + rest], [large_packet, rest], [large_packet[:-1], large_packet[-1:] + rest],
                 [large_packet + rest[:3], rest[3:]], [large_packet, *[bytes((byte,)) for byte in rest]]):  # fmt: skip
        exchange = Exchange(Reply.RESULT, Layout(deprecate))
        for chunk in (begin, *cuts):
            assert not exchange.done
            assert exchange.feed(chunk) == len(chunk)
        assert (exchange.done, exchange.status, exchange.errno, exchange.sequence) == (True, 0x22, 0, 12)


def test_a_row_whose_first_value_is_larger_than_a_packet_is_not_an_end() -> None:
    # Its length takes 9 bytes, the first of them 0xFE, as in the packet that ends the rows.
    first = (
        MAX_PAYLOAD.to_bytes(3, "little") + b"\x03" + b"\xfe" + (2**24).to_bytes(8, "little") + bytes(MAX_PAYLOAD - 9)
    )
    for deprecate in (True, False):
        head = [b"\x01", column()] + ([] if deprecate else [eof()])
        begin = b"".join(frame(payload, number + 1) for number, payload in enumerate(head))
        exchange = Exchange(Reply.RESULT, Layout(deprecate))
        for chunk in (begin, first[:5], first[5:], frame(b"\xff" * 9, 4)):
            assert exchange.feed(chunk) == len(chunk)
        assert not exchange.done
        exchange.feed(frame(end_rows(deprecate), 5))
        assert exchange.done


@pytest.mark.parametrize(
    ("reply", "data"),
    [
        (Reply.RESULT, b"\0\0\0\1"),
        (Reply.RESULT, frame(b"\xfb/etc/passwd", 1)),
        (Reply.RESULT, frame(b"\xff", 1)),
        (Reply.RESULT, frame(b"\0\0", 1)),
        (Reply.RESULT, frame(b"\0\0\0\2", 1)),
        (Reply.RESULT, frame(b"\xfc\x01", 1)),
        (Reply.RESULT, frame(b"\xfc\0\0", 1)),
        (Reply.RESULT, frame(b"\1", 1) + b"\0\0\0\2"),
        (Reply.RESULT, frame(b"\1", 1) + frame(column(), 2) + b"\0\0\0\3"),
        (Reply.ROWS, b"\0\0\0\1"),
        (Reply.PREPARED, frame(b"\0\1\0\0\0\1\0", 1)),
        (Reply.PREPARED, frame(b"\1" + bytes(11), 1)),
        (Reply.SINGLE, b"\0\0\0\1"),
    ],
)
@pytest.mark.parametrize("deprecate", [True, False])
def test_what_no_server_sends_is_malformed(reply: Reply, data: bytes, deprecate: bool) -> None:
    with pytest.raises(MalformedPacket):
        Exchange(reply, Layout(deprecate)).feed(data)
    exchange = Exchange(reply, Layout(deprecate))
    with pytest.raises(MalformedPacket):
        deque(exchange.feed(bytes((byte,))) for byte in data)


def test_a_missing_end_of_columns_is_malformed() -> None:
    exchange = Exchange(Reply.RESULT, Layout())
    with pytest.raises(MalformedPacket):
        exchange.feed(frame(b"\1", 1) + frame(column(), 2) + frame(b"\x01a", 3))


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(list(Reply)),
    st.booleans(),
    st.lists(st.binary(max_size=12) | st.binary(max_size=12).map(lambda p: frame(p, 1)), max_size=12),
)
def test_any_bytes_are_followed_or_malformed(reply: Reply, deprecate: bool, chunks: list[bytes]) -> None:
    outcomes = []
    for pieces in (chunks, [b"".join(chunks)], [bytes((byte,)) for byte in b"".join(chunks)]):
        exchange, used = Exchange(reply, Layout(deprecate)), 0
        try:
            for piece in pieces:
                if exchange.done:
                    break
                used += exchange.feed(piece)
        except MalformedPacket:
            outcomes.append("malformed")
            continue
        outcomes.append(
            f"{used} {exchange.done} {exchange.status} {exchange.errno} {exchange.begun} {exchange.prepared}"
        )
    assert len(set(outcomes)) == 1


@pytest.mark.parametrize("pace", [1, 3, 1000])
def test_feeding_can_stop_where_state_is_told(pace: int) -> None:
    track = b"\0\x03\x02\x011"
    told = ok(AUTOCOMMIT | MORE | 0x4000, info=track)
    exchange, data = Exchange(Reply.RESULT, Layout(session_track=True)), frame(told, 1) + frame(ok(), 2)
    exchange.stops = True
    used, stops = 0, []
    while not exchange.done:
        used += exchange.feed(data[used : used + pace])
        if exchange.stop:
            stops.append((used, exchange.stop))
            exchange.stop = b""
    assert stops == [(len(frame(told, 1)), told)]
    assert used == len(data)


@pytest.mark.parametrize("pace", [1, 3, 1000])
def test_an_eof_tells_only_that_there_is_something(pace: int) -> None:
    payloads = result(False, 1, [b"\x01x"], AUTOCOMMIT | 0x4000)
    exchange, data = Exchange(Reply.RESULT, Layout(session_track=True)), b"".join(map(frame, payloads, range(1, 9)))
    for at in range(0, len(data), pace):
        exchange.feed(data[at : at + pace])
    assert exchange.done
    assert exchange.told is not None
    assert exchange.told.changed


def test_nothing_is_heard_where_it_was_not_agreed() -> None:
    exchange = Exchange(Reply.RESULT, Layout())
    exchange.feed(frame(ok(AUTOCOMMIT | 0x4000), 1))
    assert exchange.told is None


@pytest.mark.parametrize("deprecate", [False, True])
@pytest.mark.parametrize("size", [1, 5, 64, 1000, 1 << 20])
def test_rows_are_counted_however_they_are_cut(deprecate: bool, size: int) -> None:
    row, long = b"\x05hello", b"\xfc\x2c\x01" + b"x" * 300
    for payloads, rows, affected in (
        (result(deprecate, 2, [row, long] * 300), 600, 0),
        (result(deprecate, 1, [row]), 1, 0),
        (result(deprecate, 1, []), 0, 0),
        ([*result(deprecate, 1, [row, row])[:-1], err(1317)], 2, 0),
        (
            [
                *result(deprecate, 1, [row], MORE),
                *result(deprecate, 1, [long, row], MORE),
                ok(MORE, rows=7),
                ok(rows=2),
            ],
            3,
            9,
        ),
        ([ok(rows=2**40)], 0, 2**40),
    ):
        data = Case("", Reply.RESULT, Layout(deprecate), payloads).bytes
        openings = Openings()
        # The second time its column definitions are known.
        for _ in range(2):
            exchange = Exchange(Reply.RESULT, Layout(deprecate))
            exchange.openings = openings
            for at in range(0, len(data), size):
                exchange.feed(data[at : at + size])
            assert (exchange.done, exchange.rows, exchange.affected) == (True, rows, affected)
            assert exchange.sequence == len(payloads) & 0xFF
