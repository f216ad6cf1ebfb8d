"""Replies of a server that tells how the session's state changes, as a client gets them that did not ask for it."""

import asyncio
from typing import cast

import pytest

from proxy.backend.connection import BackendConnection
from proxy.backend.tracked import ASK, TrackedConnection
from proxy.wire import constants as c
from proxy.wire.clientlogin import Safety
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from proxy.wire.replies import Err, err_payload
from proxy.wire.sessiontrack import SessionTrack
from topology.servers import Role, Server

SERVER = Server("dbwrite", "127.0.0.1", 1, Role.PRIMARY)
FLAGS = c.CLIENT_SESSION_TRACK | c.CLIENT_DEPRECATE_EOF
COMMAND = frame(b"\x03DO 1", 0)
QUESTION = frame(b"\x03" + ASK, 0)
PLAIN = frame(b"\0\1\0\2\0\0\0", 1)
ANSWER = frame(b"\0\0\0\2@\0\0\0\x03\x02\x011", 1)
ZONE = b"\0\x13\0\x11\x09time_zone\x06+01:00"
ROWS = frame(b"\1", 1) + frame(b"\x03def...", 2) + frame(b"\x01x", 3)


class Transport:
    """Remembers what was written, and whether it was cut off."""

    def __init__(self) -> None:
        self.written = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True


class Sink:
    """Remembers what the client gets."""

    def __init__(self) -> None:
        self.got = b""
        self.done = False
        self.broken = ""

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        assert chunk
        self.got += chunk
        self.done = exchange.done

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        self.broken = reason

    def pause_client(self) -> None:
        """Not looked at."""

    def resume_client(self) -> None:
        """Not looked at."""


def asking(flags: int = FLAGS) -> tuple[TrackedConnection, Sink, Transport, Exchange]:
    """A new connection with its first command under way."""
    sink, transport = Sink(), Transport()
    link = TrackedConnection(SERVER, 7, flags, Safety(), 2, sink)
    link.connection_made(cast(asyncio.BaseTransport, transport))
    exchange = Exchange(Reply.RESULT, link.layout)
    link.send(COMMAND, exchange, sink)
    return link, sink, transport, exchange


def feed(link: TrackedConnection, data: bytes, pace: int) -> None:
    for at in range(0, len(data), pace):
        link.data_received(data[at : at + pace])


def test_the_question_goes_before_the_first_command_only() -> None:
    link, sink, transport, _ = asking()
    assert transport.written == QUESTION + COMMAND
    link.data_received(ANSWER + PLAIN)
    assert (sink.got, sink.done) == (PLAIN, True)
    link.send(COMMAND, Exchange(Reply.RESULT, link.layout), sink)
    assert transport.written == QUESTION + COMMAND * 2
    link.seen.forget_all()
    link.send(COMMAND, Exchange(Reply.RESULT, link.layout), sink)
    assert transport.written == QUESTION + COMMAND * 2 + QUESTION + COMMAND


def test_the_question_has_room_for_attributes() -> None:
    assert asking(FLAGS | c.CLIENT_QUERY_ATTRIBUTES)[2].written.startswith(frame(b"\x03\0\1" + ASK, 0))


@pytest.mark.parametrize("pace", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    ("told", "given"),
    [
        (frame(b"\0\1\5\2@\0\0" + ZONE, 1), frame(b"\0\1\5\2\0\0\0", 1)),
        (frame(b"\0\1\5\2@\0\0\5hello" + ZONE[1:], 1), frame(b"\0\1\5\2\0\0\0\5hello", 1)),
        (ROWS + frame(b"\xfe\0\0\2@\0\0" + ZONE, 4), ROWS + frame(b"\xfe\0\0\2\0\0\0", 4)),
        (
            frame(b"\0\0\0\x0a@\0\0" + ZONE, 1) + ROWS + frame(b"\xfe\0\0\x0a@\0\0" + ZONE, 4) + PLAIN,
            frame(b"\0\0\0\x0a\0\0\0", 1) + ROWS + frame(b"\xfe\0\0\x0a\0\0\0", 4) + PLAIN,
        ),
    ],
)
def test_what_is_told_stays_here(told: bytes, given: bytes, pace: int) -> None:
    link, sink, transport, exchange = asking()
    feed(link, ANSWER + told, pace)
    assert (sink.got, sink.done, transport.aborted) == (given, True, False)
    assert exchange.told == SessionTrack({"time_zone": "+01:00"})


def test_a_server_that_will_not_tell() -> None:
    link, sink, _, _ = asking()
    link.data_received(frame(err_payload(Err(1193, "Unknown system variable")), 1) + PLAIN)
    assert (sink.got, sink.done) == (PLAIN, True)


@pytest.mark.parametrize("pace", [1, 7, 1000])
def test_last_words_in_the_place_of_the_answer(pace: int) -> None:
    farewell = frame(err_payload(Err(4031, "inactivity")), 0)
    link, sink, _, exchange = asking()
    feed(link, farewell, pace)
    assert (sink.got, exchange.errno, exchange.sequence) == (farewell, 4031, 0)


@pytest.mark.parametrize(
    "data",
    [
        ANSWER + PLAIN + PLAIN,
        frame(b"\0\0\0\2@\0\0\0\x03\x02\x09", 1),
        ANSWER + frame(b"\0\0\0\2@\0\0\0\x03\x02\x09", 1),
        frame(b"", 1),
    ],
)
def test_what_makes_no_sense_breaks_the_connection(data: bytes) -> None:
    link, sink, transport, _ = asking()
    link.data_received(data)
    link.data_received(bytes(5000))
    assert sink.broken
    assert transport.aborted


def test_the_answer_can_come_between_commands() -> None:
    sink, transport = Sink(), Transport()
    link = TrackedConnection(SERVER, 7, FLAGS, Safety(), 2, sink)
    link.connection_made(cast(asyncio.BaseTransport, transport))
    link.send(COMMAND, Exchange(Reply.NONE, link.layout), sink)
    link.data_received(ANSWER)
    assert not sink.broken
