"""Asking a server for its greeting: once, and again when it has become another."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from proxy.backend.greetings import Greetings
from proxy.errors import ServerLost, ServerRefused
from proxy.wire.constants import CLIENT_COMPRESS
from proxy.wire.framing import frame
from proxy.wire.handshake import Greeting, greeting_payload
from proxy.wire.replies import Err, err_payload
from topology.servers import Role, Server, ServerCompression

GREETING = Greeting("8.4.0", 7, b"n" * 20, 0xDFFFFFFF, 45, 2, "caching_sha2_password")


class FakeServer:
    """Greets whoever connects with `first`, and counts them."""

    def __init__(self, first: bytes) -> None:
        self.first = first
        self.greeted = 0
        self.over = asyncio.Semaphore(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.greeted += 1
        writer.write(self.first)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        self.over.release()


def ask(fake: FakeServer, questions: Callable[[Greetings, Server], Awaitable[None]], within: float = 30) -> None:
    async def run() -> None:
        async with await asyncio.start_server(fake.serve, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            await questions(Greetings(within), Server("dbwrite", "127.0.0.1", port, Role.PRIMARY))
            for _ in range(fake.greeted):
                await fake.over.acquire()

    asyncio.run(run())


def greeted(greeting: Greeting) -> bytes:
    return frame(greeting_payload(greeting), 0)


def test_a_server_whose_greeting_a_login_had_is_not_asked() -> None:
    async def questions(greetings: Greetings, server: Server) -> None:
        greetings.learn(server, GREETING)
        assert await greetings.of(server, "8.4.0") == GREETING
        assert fake.greeted == 0
        await greetings.of(server, "9.0.0")
        await greetings.of(server, "9.0.0")
        assert fake.greeted == 1

    fake = FakeServer(greeted(GREETING))
    ask(fake, questions)


def test_a_server_is_asked_once() -> None:
    async def questions(greetings: Greetings, server: Server) -> None:
        answers = await asyncio.gather(*(greetings.of(server, "8.4.0") for _ in range(5)))
        assert answers == [GREETING] * 5
        assert fake.greeted == 1

    fake = FakeServer(greeted(GREETING))
    ask(fake, questions)


def test_a_server_that_was_upgraded_is_asked_again() -> None:
    async def questions(greetings: Greetings, server: Server) -> None:
        await greetings.of(server, "8.4.0")
        fake.first = greeted(replace(GREETING, server_version="9.7.0"))
        assert (await greetings.of(server, "8.4.0")).server_version == "8.4.0"
        assert (await greetings.of(server, "9.7.0")).server_version == "9.7.0"
        assert fake.greeted == 2

    fake = FakeServer(greeted(GREETING))
    ask(fake, questions)


def test_the_greeting_of_a_later_login_counts() -> None:
    async def questions(greetings: Greetings, server: Server) -> None:
        await greetings.of(server, "8.4.0")
        greetings.learn(server, replace(GREETING, capabilities=1))
        assert (await greetings.of(server, "8.4.0")).capabilities == 1

    ask(FakeServer(greeted(GREETING)), questions)


def test_a_server_may_refuse() -> None:
    async def questions(greetings: Greetings, server: Server) -> None:
        with pytest.raises(ServerRefused, match="1129"):
            await greetings.of(server, "8.4.0")

    ask(FakeServer(frame(err_payload(Err(1129, "Host is blocked", "")), 0)), questions)


@pytest.mark.parametrize(
    ("first", "cause"), [(b"\x05\0\0\0\x09abcd", "malformed"), (b"\xff\xff\xff\0", "malformed"), (b"", "no answer")]
)
def test_what_is_no_greeting_is_a_server_that_cannot_be_reached(first: bytes, cause: str) -> None:
    async def questions(greetings: Greetings, server: Server) -> None:
        with pytest.raises(ServerLost, match=cause):
            await greetings.of(server, "8.4.0")

    ask(FakeServer(first), questions, within=0.05 if cause == "no answer" else 30)


def test_a_server_that_is_not_there() -> None:
    async def run() -> None:
        async with await asyncio.start_server(FakeServer(b"").serve, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
        with pytest.raises(ServerLost, match="2003"):
            await Greetings(30).of(Server("dbwrite", "127.0.0.1", port, Role.PRIMARY), "8.4.0")

    asyncio.run(run())


def test_that_a_server_does_not_compress_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def learn() -> None:
        greetings = Greetings(1)
        for name, wanted, offered in (
            ("a", ServerCompression.OFF, 0),
            ("b", ServerCompression.ZLIB, CLIENT_COMPRESS),
            ("c", ServerCompression.ZSTD, CLIENT_COMPRESS),
            ("c", ServerCompression.ZSTD, CLIENT_COMPRESS),
        ):
            server = Server(name, "127.0.0.1", 1, Role.REPLICA, compression=wanted)
            greetings.learn(server, replace(GREETING, capabilities=offered))

    asyncio.run(learn())
    (told,) = caplog.messages
    assert told.startswith("c (127.0.0.1:1) offers no zstd")
