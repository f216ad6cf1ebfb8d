"""What a server connection makes of bytes that nobody asked for."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from proxy.admin.traffic import Traffic
from proxy.backend.connection import BackendConnection
from proxy.backend.tracked import TrackedConnection
from proxy.session.running.preludes import Drain
from proxy.wire.clientlogin import Safety
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from proxy.wire.replies import Err, err_payload
from topology.servers import Role, Server

SERVER = Server("dbwrite", "127.0.0.1", 1, Role.PRIMARY)
FAREWELL = frame(err_payload(Err(4031, "The client was disconnected by the server because of inactivity.")), 0)
OK = frame(b"\0\0\0\2\0\0\0", 1)


class Transport:
    """A transport that only remembers what was written, and that it was cut off."""

    aborted = False
    closed = False
    written: bytes = b""

    def abort(self) -> None:
        self.aborted = True

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True


class Sink:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        self.log.append("reply")

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        self.log.append("broken")

    def pause_client(self) -> None:
        """Not looked at."""

    def resume_client(self) -> None:
        """Not looked at."""


def connection() -> tuple[BackendConnection, Sink, Transport]:
    sink, transport = Sink(), Transport()
    link = BackendConnection(SERVER, 7, 0, Safety(), 2, sink)
    link.connection_made(cast(asyncio.BaseTransport, transport))
    return link, sink, transport


@pytest.mark.parametrize("pace", [1, 3, 1000])
def test_the_last_words_of_a_server_are_kept(pace: int) -> None:
    link, sink, transport = connection()
    for at in range(0, len(FAREWELL), pace):
        link.data_received(FAREWELL[at : at + pace])
    assert (sink.log, link.farewell, transport.aborted) == (["broken"], FAREWELL, True)
    link.connection_lost(None)
    assert (sink.log, link.farewell) == (["broken"], FAREWELL)


def test_last_words_right_behind_a_reply_are_kept_too() -> None:
    link, sink, _ = connection()
    exchange = Exchange(Reply.RESULT, link.layout)
    link.send(b"", exchange, sink)
    link.data_received(OK + FAREWELL)
    assert (sink.log, link.farewell) == (["reply", "broken"], FAREWELL)


def test_half_a_packet_is_no_last_word() -> None:
    link, sink, _ = connection()
    link.data_received(FAREWELL[:-1])
    assert sink.log == []
    link.connection_lost(None)
    assert (sink.log, link.farewell) == (["broken"], b"")


def test_endless_last_words_are_cut_off() -> None:
    link, sink, _ = connection()
    link.data_received(b"\xff\xff\xff\0" + bytes(5000))
    assert (sink.log, link.farewell) == (["broken"], b"")


class Next:
    """Sends the next command as soon as one is answered."""

    def __init__(self, *packets: bytes) -> None:
        self.packets = list(packets)
        self.chunks: list[bytes] = []
        self.broken = ""

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        self.chunks.append(chunk)
        if exchange.done and self.packets:
            connection.send(self.packets.pop(0), Exchange(Reply.RESULT, connection.layout), self)

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        self.broken = reason

    def pause_client(self) -> None:
        """Not looked at."""

    def resume_client(self) -> None:
        """Not looked at."""


@pytest.mark.parametrize("kind", [BackendConnection, TrackedConnection])
@pytest.mark.parametrize("pace", [1, 11, 1000])
def test_commands_written_ahead_are_answered_in_turn(kind: type[BackendConnection], pace: int) -> None:
    sink, transport = Next(b"second", b"third"), Transport()
    link = kind(SERVER, 7, 0, Safety(), 2, sink)
    link.seen.tracked = True
    link.connection_made(cast(asyncio.BaseTransport, transport))
    link.send_with(b"first", [b"second", b"third"], Exchange(Reply.RESULT, link.layout), sink)
    for at in range(0, 3 * len(OK), pace):
        link.data_received((OK * 3)[at : at + pace])
    assert (transport.written, b"".join(sink.chunks)) == (b"firstsecondthird", OK * 3)
    assert (link.at_rest, link.ahead, sink.broken) == (True, [], "")
    link.send(b"fourth", Exchange(Reply.RESULT, link.layout), sink)
    assert transport.written.endswith(b"thirdfourth")


def test_another_command_than_the_one_written_ahead_breaks_the_connection() -> None:
    sink, transport = Next(b"other"), Transport()
    link = BackendConnection(SERVER, 7, 0, Safety(), 2, sink)
    link.connection_made(cast(asyncio.BaseTransport, transport))
    link.send_with(b"first", [b"second"], Exchange(Reply.RESULT, link.layout), sink)
    link.data_received(OK)
    assert sink.broken
    assert transport.aborted


def test_replies_to_what_was_written_in_vain_are_drained() -> None:
    sink, transport, drained = Next(), Transport(), []
    link = BackendConnection(SERVER, 7, 0, Safety(), 2, sink)
    link.connection_made(cast(asyncio.BaseTransport, transport))
    link.send_with(b"first", [b"second", b"third"], Exchange(Reply.RESULT, link.layout), sink)
    link.data_received(OK)
    Drain(sink, lambda: drained.append(link.at_rest)).start(link)
    link.data_received(OK)
    assert drained == []
    link.data_received(OK)
    assert (drained, link.ahead, transport.written) == ([True], [], b"firstsecondthird")


_ENDS: tuple[Callable[[BackendConnection], None], ...] = (
    lambda link: link.data_received(OK),
    lambda link: link.close(),
    lambda link: link.abort("it does not answer"),
    lambda link: link.connection_lost(None),
)


def test_what_is_at_work_is_counted_until_it_is_answered_or_lost() -> None:
    for kind in (BackendConnection, TrackedConnection):
        sink, traffic = Sink(), Traffic()
        for end in _ENDS:
            link = kind(SERVER, 7, 0, Safety(), 2, sink)
            link.seen.tracked = True
            link.connection_made(cast(asyncio.BaseTransport, Transport()))
            link.traffic = traffic
            link.send(b"", Exchange(Reply.RESULT, link.layout), sink)
            assert traffic.at_work == 1
            end(link)
            assert traffic.at_work == 0
            link.close()
            assert traffic.at_work == 0
            if not link.alive:
                # Nothing will answer.
                link.send(b"", Exchange(Reply.RESULT, link.layout), sink)
                assert traffic.at_work == 0
