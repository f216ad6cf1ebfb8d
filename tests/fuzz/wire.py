"""Fuzz targets for `proxy.wire`: each takes any bytes; nothing but MalformedPacket may come of them."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from proxy.wire import constants as c
from proxy.wire.capabilities import REQUIRED, Layout, layout_of
from proxy.wire.changeuser import change_user_payload, parse_change_user
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import PacketReader, frame
from proxy.wire.handshake import (
    auth_switch_payload,
    greeting_payload,
    parse_auth_switch,
    parse_greeting,
    parse_response,
    response_payload,
)
from proxy.wire.openings import Openings
from proxy.wire.primitives import Reader, lenenc_bytes, lenenc_int
from proxy.wire.queryattributes import query_payload, text_of
from proxy.wire.replies import err_payload, ok_payload, parse_err, parse_ok
from proxy.wire.stream import BodyStream
from proxy.wire.translator import Translator
from tests.fuzz.inputs import Input, chunks

SHAPES = list(Reply)
# The flags that change how replies are laid out, by the bits of an input's second byte.
LAYOUT_FLAGS = [
    c.CLIENT_DEPRECATE_EOF,
    c.MARIADB_CLIENT_CACHE_METADATA,
    c.MARIADB_CLIENT_PROGRESS,
    c.CLIENT_LOCAL_FILES,
]


def greeting(data: bytes) -> None:
    """A server's first packet; written again it means the same."""
    with suppress(MalformedPacket):
        value = parse_greeting(data)
        assert len(value.nonce) == 20
        if value.plugin.isascii():
            assert parse_greeting(greeting_payload(value)) == value


def response(data: bytes) -> None:
    """A client's first packet; written again it means the same."""
    with suppress(MalformedPacket):
        value = parse_response(data)
        if value.capabilities & REQUIRED == REQUIRED:
            assert parse_response(response_payload(value)) == value


def auth_switch(data: bytes) -> None:
    """A server's request for another method."""
    with suppress(MalformedPacket):
        plugin, nonce = parse_auth_switch(data)
        assert parse_auth_switch(auth_switch_payload(plugin, nonce)) == (plugin, nonce)


def change_user(data: bytes) -> None:
    """A client's wish to be another user; written again it means the same."""
    source = Input(data)
    flags = c.CLIENT_PLUGIN_AUTH | (c.CLIENT_CONNECT_ATTRS if source.flag() else 0)
    with suppress(MalformedPacket):
        value = parse_change_user(bytes((c.COM_CHANGE_USER,)) + source.rest(), flags)
        assert parse_change_user(change_user_payload(value, flags), flags) == value


def replies(data: bytes) -> None:
    """OK and ERR packets."""
    with suppress(MalformedPacket):
        ok = parse_ok(data)
        assert parse_ok(ok_payload(ok)) == ok
    with suppress(MalformedPacket):
        err = parse_err(data)
        if err.sqlstate.isascii() and err.sqlstate:
            assert parse_err(err_payload(err)) == err


def primitives(data: bytes) -> None:
    """Integers and strings one after the other, chosen by the first bytes."""
    source = Input(data)
    steps = source.piece()
    content = source.rest()
    reader = Reader(content)
    with suppress(MalformedPacket):
        for step in steps:
            before = reader.left
            match step % 6:
                case 0:
                    assert reader.integer(step % 9) >= 0
                case 1:
                    # The shortest form is not the only one that is read.
                    assert len(lenenc_int(reader.lenenc_int())) <= before - reader.left
                case 2:
                    assert len(lenenc_bytes(reader.lenenc_bytes())) <= before - reader.left
                case 3:
                    assert b"\0" not in reader.nul_bytes()
                case 4:
                    assert len(reader.take(step)) == step
                case _:
                    assert len(reader.rest()) == before
            assert 0 <= reader.left <= before


def framing(data: bytes) -> None:
    """Packets of a login: the same ones however the bytes arrive."""
    source = Input(data)
    seed, rest = source.byte(), source.rest()
    assert _packets([rest]) == _packets(chunks(rest, seed)) == _packets(chunks(rest, 0))


def _packets(arriving: Iterable[bytes]) -> tuple[list[bytes], bytes]:
    reader, found = PacketReader(300), []
    try:
        for chunk in arriving:
            reader.feed(chunk)
            while (packet := reader.next()) is not None:
                found.append(frame(packet[1], packet[0]))
    except MalformedPacket:
        return found, b"malformed"
    return found, reader.take_rest()


def body_stream(data: bytes) -> None:
    """Where a large command ends, however it arrives."""
    source = Input(data)
    length, seed, rest = 1 + source.byte() % 40, source.byte(), source.rest()
    ends = {_end_of_body(length, arriving) for arriving in ([rest], chunks(rest, seed), chunks(rest, 0))}
    assert ends == {(min(length, len(rest)), len(rest) >= length)}


def _end_of_body(length: int, arriving: Iterable[bytes]) -> tuple[int, bool]:
    body, used = BodyStream(length), 0
    for chunk in arriving:
        used += body.feed(chunk)
    return used, body.done


Verdict = tuple[object, ...] | str


def exchange(data: bytes) -> None:
    """A reply: the same verdict however it arrives, and whatever was learnt from replies before it."""
    source = Input(data)
    shape, layout, seed = SHAPES[source.byte() % len(SHAPES)], _layout(source.byte()), source.byte()
    cut, rest = source.byte(), source.rest()
    expected = _verdict(shape, layout, [rest])
    assert _verdict(shape, layout, chunks(rest, seed)) == expected
    assert _verdict(shape, layout, chunks(rest, 0)) == expected
    openings = Openings()
    for _ in range(2):
        assert _verdict(shape, layout, [rest], openings) == expected
        assert _verdict(shape, layout, chunks(rest, seed), openings) == expected
    # Another reply that begins as the one that is known.
    other = rest[: len(rest) - cut] + rest[:cut]
    assert _verdict(shape, layout, [other], openings) == _verdict(shape, layout, [other])


def _layout(bits: int) -> Layout:
    return layout_of(sum(flag for number, flag in enumerate(LAYOUT_FLAGS) if bits >> number & 1))


def _verdict(shape: Reply, layout: Layout, arriving: Iterable[bytes], openings: Openings | None = None) -> Verdict:
    follower, used = Exchange(shape, layout), 0
    follower.openings = openings
    try:
        for chunk in arriving:
            used += follower.feed(chunk)
    except MalformedPacket:
        return "malformed"
    boundary = follower.boundary if follower.done else None
    sequence = follower.sequence if follower.done and used else None
    return used, follower.done, follower.status, follower.errno, follower.begun, follower.prepared, boundary, sequence


def translator(data: bytes) -> None:
    """A server's reply for a client of another layout: the same however it arrives, and a reply of that layout."""
    source = Input(data)
    shape, seed = SHAPES[source.byte() % len(SHAPES)], source.byte()
    server = _layout(source.byte() | 1 << LAYOUT_FLAGS.index(c.CLIENT_DEPRECATE_EOF))
    client = replace(server, deprecate_eof=not server.deprecate_eof, session_track=False)
    rest = source.rest()
    for one, other in ((server, client), (client, server)):
        expected = _translated(shape, one, other, [rest])
        assert _translated(shape, one, other, chunks(rest, seed)) == expected
        assert _translated(shape, one, other, chunks(rest, 0)) == expected


def _translated(shape: Reply, server: Layout, client: Layout, arriving: Iterable[bytes]) -> bytes:
    follower, out = Translator(shape, server, client), b""
    reply = Exchange(shape, server)
    try:
        for chunk in arriving:
            used = reply.feed(chunk)
            out += follower.feed(chunk[:used])
    except MalformedPacket:
        return b"malformed"
    return out


def query_attributes(data: bytes) -> None:
    """A COM_QUERY with attributes before its text."""
    packet = frame(bytes((c.COM_QUERY,)) + data, 0)
    with suppress(MalformedPacket):
        text = text_of(packet)
        assert packet.endswith(text)
        assert text_of(frame(query_payload(text, attributes=True), 0)) == text
