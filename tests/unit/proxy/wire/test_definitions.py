"""Definitions that a server left out are put in where the client has others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.capabilities import Layout
from proxy.wire.definitions import Definitions, Executed, definitions_of, leaves_out, prepared_columns
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange
from proxy.wire.framing import frame
from proxy.wire.primitives import lenenc_int
from proxy.wire.replygrammar import Reply

EOF = b"\xfe\0\0\2\0"
OK = b"\0\0\0\2\0\0\0"
ERR = b"\xff\x28\x04#42000no"
PROGRESS = b"\xff\xff\xff\x01\x01\x02\x82\x06\x00\x11copy to tmp table"
ROWS = [b"\0\0\1a", b"\0\4"]


def columns(*names: str) -> list[bytes]:
    return [b"\x03def\0\0\0" + bytes((len(name),)) + name.encode() + b"\0\x0c" + bytes(12) for name in names]


ONE, OTHER = definitions_of(columns("a", "b")), definitions_of(columns("a", "c"))


def framed(payloads: list[bytes]) -> bytes:
    return b"".join(frame(payload, number + 1) for number, payload in enumerate(payloads))


def left_out(before: list[bytes] | None = None, count: int = 2) -> list[bytes]:
    return [*(before or []), lenenc_int(count) + b"\0", EOF, *ROWS, EOF]


def followed(names: list[bytes], before: list[bytes] | None = None) -> list[bytes]:
    return [*(before or []), lenenc_int(len(names)) + b"\1", *names, EOF, *ROWS, EOF]


def fed(
    payloads: list[bytes], sent: Definitions | None, held: Definitions | None, cut: int = 0
) -> tuple[bytes, Executed]:
    data, executed = framed(payloads), Executed(sent, held)
    pieces = [data] if not cut else [data[at : at + cut] for at in range(0, len(data), cut)]
    return b"".join(executed.feed(piece) for piece in pieces), executed


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 5, 7, 30])
@pytest.mark.parametrize("before", [[], [PROGRESS], [PROGRESS] * 3])
def test_what_the_client_has_stays_out(cut: int, before: list[bytes]) -> None:
    reply = left_out(before)
    out, executed = fed(reply, ONE, definitions_of(columns("a", "b")), cut)
    assert out == framed(reply)
    assert (executed.sent, executed.held, executed.sequence) == (ONE, ONE, -1)


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 5, 7, 30])
@pytest.mark.parametrize("before", [[], [PROGRESS], [PROGRESS] * 3])
@pytest.mark.parametrize("held", [OTHER, None])
def test_what_the_client_has_not_is_put_in(cut: int, before: list[bytes], held: Definitions | None) -> None:
    out, executed = fed(left_out(before), ONE, held, cut)
    wanted = followed(columns("a", "b"), before)
    assert out == framed(wanted)
    assert (executed.sent, executed.held) == (ONE, ONE)
    assert executed.sequence == len(wanted)


@pytest.mark.parametrize("cut", [0, 1, 3, 30])
@pytest.mark.parametrize("before", [[], [PROGRESS]])
@pytest.mark.parametrize(("sent", "held"), [(ONE, ONE), (ONE, OTHER), (None, None)])
def test_definitions_that_follow_are_remembered(
    cut: int, before: list[bytes], sent: Definitions | None, held: Definitions | None
) -> None:
    new = columns("x", "y", "z")
    reply = followed(new, before)
    out, executed = fed(reply, sent, held, cut)
    assert out == framed(reply)
    assert executed.sent == executed.held == definitions_of(new)


@pytest.mark.parametrize("reply", [[OK], [ERR], [PROGRESS, OK], [b"\xfbfile", OK], [PROGRESS, PROGRESS, ERR]])
@pytest.mark.parametrize("cut", [0, 1])
def test_replies_without_rows_change_nothing(reply: list[bytes], cut: int) -> None:
    out, executed = fed(reply, ONE, OTHER, cut)
    assert out == framed(reply)
    assert (executed.sent, executed.held) == (ONE, OTHER)


def test_after_an_error_among_definitions_nothing_is_known() -> None:
    _, executed = fed([b"\2\1", columns("a")[0], ERR], ONE, ONE)
    assert executed.sent is executed.held is None


@pytest.mark.parametrize(
    ("sent", "count"), [(None, 2), (ONE, 3), (definitions_of(columns(*(f"column{n:05}" for n in range(500)))), 500)]
)
def test_what_cannot_be_put_in_never_reaches_the_client(sent: Definitions | None, count: int) -> None:
    with pytest.raises(MalformedPacket):
        fed(left_out(count=count), sent, OTHER)


def test_large_definitions_are_still_known_to_be_the_same() -> None:
    many = columns(*(f"column{number:05}" for number in range(500)))
    reply = left_out(count=500)
    assert definitions_of(many).payloads is None
    assert fed(reply, definitions_of(many), definitions_of(list(many)))[0] == framed(reply)


def test_numbers_of_packets_wrap_around() -> None:
    data = frame(b"\2\0", 250) + b"".join(frame(b"\0\0\1a", number) for number in (251, 252, 253, 254, 255, 0, 1))
    executed = Executed(ONE, None)
    out = executed.feed(data)
    found = []
    while out:
        found.append(out[3])
        out = out[4 + out[0] :]
    assert found == [250, 251, 252, 253, 254, 255, 0, 1, 2, 3]
    assert executed.sequence == 3


@pytest.mark.parametrize("deprecate", [False, True])
@pytest.mark.parametrize(("parameters", "names"), [(0, ["a"]), (2, ["a", "b"]), (3, []), (0, [])])
def test_the_columns_of_a_prepared_statement(deprecate: bool, parameters: int, names: list[str]) -> None:
    eof = [] if deprecate else [EOF]
    head = b"\0\7\0\0\0" + len(names).to_bytes(2, "little") + parameters.to_bytes(2, "little") + bytes(3)
    groups = [columns(*["?"] * parameters) + eof if parameters else [], columns(*names) + eof if names else []]
    reply = framed([head, *groups[0], *groups[1]])
    assert prepared_columns(reply, Layout(deprecate_eof=deprecate)) == definitions_of(columns(*names))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=9), max_size=6), st.sampled_from([(ONE, ONE), (ONE, OTHER), (None, None)])
)
def test_any_reply_is_followed_or_malformed(
    payloads: list[bytes], known: tuple[Definitions | None, Definitions | None]
) -> None:
    data, outcomes = framed(payloads), []
    for pieces in ([data], [bytes((byte,)) for byte in data]):
        exchange = Exchange(Reply.RESULT, Layout(metadata_flag=True, progress=True, local_files=True))
        executed, out = Executed(*known), b""
        try:
            for piece in pieces:
                if not exchange.done:
                    out += executed.feed(piece[: exchange.feed(piece)])
        except MalformedPacket:
            outcomes.append(b"malformed")
            continue
        outcomes.append(out)
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    ("begin", "left_out"),
    [
        (b"\2\0\0\1\3\0\5", True),
        (b"\2\0\0\1\3\1\5", False),  # they follow
        (b"\2\0\0\1\3", False),  # not known yet
        (b"\2\0\0\1\xfb\0\5", False),  # asks for a file
        (b"\2\0\0\1\0\0\5", False),
        (b"\7\0\0\1\0\0\0\2\0\0\0", False),  # OK
        (b"\4\0\0\1\xfc\xff\0\0\5", False),  # many columns are rare
    ],
)
def test_a_reply_tells_early_that_definitions_are_left_out(begin: bytes, left_out: bool) -> None:
    assert leaves_out(begin) is left_out
