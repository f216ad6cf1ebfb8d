"""Fuzz targets for the pure part of a session: cutting bytes into commands, and what these make of its state."""

import hashlib
from collections.abc import Iterable
from contextlib import suppress

from proxy.routing.state import Seen, SessionState
from proxy.session.core.inbox import Inbox, check_header, is_one_packet
from proxy.session.core.machine import Machine
from proxy.session.core.request import Request
from proxy.session.core.statements import Limits
from proxy.wire import constants as c
from proxy.wire.capabilities import Layout
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame, payload_length
from proxy.wire.replies import Err, Ok, err_payload, ok_payload
from proxy.wire.stream import BodyStream
from tests.fuzz.inputs import Input, chunks
from tests.support.statements import MARIADB, MYSQL, cache_of
from topology.servers import Vendor

_CACHES = [cache_of(server) for server in (MARIADB, MYSQL)]
# One more than is held, so that a length byte can make a command large.
_SCALE = 4200


def inbox(data: bytes) -> None:
    """A client's bytes: the same commands however they arrive."""
    source = Input(data)
    seed, rest = source.byte(), source.rest()
    expected = _commands([rest])
    assert _commands(chunks(rest, seed)) == expected
    assert _commands(chunks(rest, 0)) == expected


def large_commands(data: bytes) -> None:
    """Commands of up to a few MiB, each described by its code, its number and its length."""
    source = Input(data)
    seed, stream = 1 + source.byte(), bytearray()
    while source.left and len(stream) < 3_000_000:
        code, sequence, length = source.byte(), source.byte() >> 7, source.byte() * _SCALE + source.byte()
        stream += length.to_bytes(3, "little") + bytes((sequence, code)) + bytes(max(0, length - 1))
    assert _commands(chunks(bytes(stream), seed * 5000)) == _commands(chunks(bytes(stream), 70_000))


def _commands(arriving: Iterable[bytes]) -> list[bytes]:
    """What a session would take, in its order; large ones as their digest."""
    box, found = Inbox(), list[bytes]()
    body: BodyStream | None = None
    large = hashlib.sha1()
    try:
        for chunk in arriving:
            box.add(chunk)
            while box:
                if body is not None:
                    waiting = box.take_all()
                    used = body.feed(waiting)
                    large.update(waiting[:used])
                    box.add(waiting[used:])
                    if body.done:
                        body = None
                        found.append(large.digest())
                elif (packet := box.take()) is not None:
                    assert len(packet) > c.HEADER_SIZE
                    assert is_one_packet(packet) or len(packet) > 1 << 20
                    found.append(packet if len(packet) < 1000 else hashlib.sha1(packet).digest())
                elif (begun := box.take_large()) is not None:
                    length, head = begun
                    check_header(length, head[3])
                    body, large = BodyStream(length), hashlib.sha1(head[: c.HEADER_SIZE])
                    box.add(head[c.HEADER_SIZE :])
                else:
                    break
    except MalformedPacket:
        found.append(b"malformed")
    return found


def machine(data: bytes) -> None:
    """A session's commands, each answered by one of two servers as the input wants it."""
    source = Input(data)
    vendor = source.byte() % len(_CACHES)
    session = Machine(_CACHES[vendor], SessionState("", 0), list(Vendor)[vendor], Limits(3, 400))
    servers = [Seen(), Seen()]
    for number, payload in enumerate(source.pieces()):
        how = source.byte()
        with suppress(MalformedPacket):
            _run(session, servers, frame(payload or b"\x0e", 0), number, how)


def _run(session: Machine, servers: list[Seen], packet: bytes, number: int, how: int) -> None:
    if packet[c.HEADER_SIZE] == c.COM_STMT_CLOSE:
        session.close_statement(packet)
        return
    request = session.requests.make(packet)
    if not isinstance(request, Request):
        return
    on_primary = bool(how & 1)
    seen = servers[on_primary]
    preludes = 0
    while (prelude := session.steps.prelude(seen, request)) is not None:
        preludes += 1
        assert preludes < 1000, "a connection never gets into step"
        session.steps.prelude_done(prelude, seen, _reply(prelude.reply, 0, number))
    *before, last = _packets(session.steps.packet_for(seen, request))
    assert last[c.HEADER_SIZE] == request.code
    assert all(packet[c.HEADER_SIZE] in (c.COM_STMT_CLOSE, c.COM_STMT_SEND_LONG_DATA) for packet in before)
    session.sent(request, seen)
    session.outcomes.wrote(request)
    exchange = _reply(request.reply, how, number)
    if exchange.prepared is not None and on_primary:
        session.outcomes.prepared(request, exchange, seen)
    session.outcomes.replied(request, exchange, seen, on_primary)


def _packets(data: bytes) -> list[bytes]:
    found = []
    while data:
        end = c.HEADER_SIZE + payload_length(data)
        found.append(data[:end])
        data = data[end:]
    return found


def _reply(shape: Reply, how: int, number: int) -> Exchange:
    exchange = Exchange(shape, Layout(deprecate_eof=True))
    if shape is Reply.NONE:
        return exchange
    if how & 2:
        exchange.feed(frame(err_payload(Err(1000 + how, "")), 1))
    elif shape is Reply.PREPARED:
        parameters = how >> 4
        head = number.to_bytes(4, "little") + bytes(2) + parameters.to_bytes(2, "little") + bytes(3)
        exchange.feed(frame(b"\0" + head, 1) + frame(b"\x03def", 2) * parameters)
    else:
        exchange.feed(frame(ok_payload(Ok(status=how >> 2)), 1))
    return exchange
