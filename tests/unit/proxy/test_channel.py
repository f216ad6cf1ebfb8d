"""A connection during login: packets in any pieces, PROXY headers before them, peers that send too much or leave."""

import asyncio

import pytest

from proxy.channel import MAX_LOGIN_PACKET, PacketChannel
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import frame
from proxy.wire.proxyprotocol import ProxyHeader
from tests.support.transports import FakeTransport, Recorder

HEADER = b"PROXY TCP4 192.0.2.1 198.51.100.2 51234 3306\r\n"
READ = ProxyHeader(len(HEADER), ("192.0.2.1", 51234))


def opened() -> tuple[PacketChannel, FakeTransport]:
    channel, transport = PacketChannel(), FakeTransport()
    channel.connection_made(transport)
    return channel, transport


async def received(channel: PacketChannel, data: bytes, pace: int, count: int = 1) -> list[bytes]:
    """The next payloads, when `data` arrives in pieces of `pace` bytes."""

    async def feed() -> None:
        for at in range(0, len(data), pace):
            channel.data_received(data[at : at + pace])
            await asyncio.sleep(0)

    feeding = asyncio.create_task(feed())
    payloads = [await channel.receive() for _ in range(count)]
    await feeding
    return payloads


@pytest.mark.parametrize("pace", [1, 3, 1000])
def test_packets_come_in_any_pieces_and_are_answered_in_their_numbering(pace: int) -> None:
    async def check() -> None:
        channel, transport = opened()
        assert not channel.begun
        assert await received(channel, frame(b"one", 1) + frame(b"two", 2), pace, 2) == [b"one", b"two"]
        channel.send(b"three")
        assert transport.take() == frame(b"three", 3)
        assert channel.begun

    asyncio.run(check())


@pytest.mark.parametrize("pace", [1, 7, 1000])
def test_a_proxy_header_comes_before_the_first_packet_or_not_at_all(pace: int) -> None:
    async def check(header: bytes, expected: ProxyHeader) -> None:
        channel, _ = opened()
        waiting = asyncio.create_task(channel.proxy_header())
        data = header + frame(b"response", 1)
        for at in range(0, len(data), pace):
            channel.data_received(data[at : at + pace])
            await asyncio.sleep(0)
        assert await waiting == expected
        assert await channel.receive() == b"response"

    asyncio.run(check(HEADER, READ))
    asyncio.run(check(b"", ProxyHeader(0, None)))


def test_a_header_that_nobody_waits_for_is_a_malformed_packet() -> None:
    async def check() -> None:
        channel, _ = opened()
        channel.data_received(HEADER)
        with pytest.raises(MalformedPacket):
            await channel.receive()

    asyncio.run(check())


def test_who_sends_on_without_an_answer_is_not_read_until_its_packets_are_waited_for() -> None:
    async def check() -> None:
        channel, transport = opened()
        packet = frame(b"x" * 1000, 1)
        count = MAX_LOGIN_PACKET // 1000 + 10
        for _ in range(count):
            channel.data_received(packet)
        assert transport.calls == ["pause"]
        for _ in range(count):
            await channel.receive()
        assert transport.calls == ["pause"]
        waiting = asyncio.create_task(channel.receive())
        await asyncio.sleep(0)
        assert transport.calls == ["pause", "resume"]
        channel.data_received(packet)
        assert await waiting == b"x" * 1000

    asyncio.run(check())


def test_the_rest_goes_to_the_next_protocol_which_reads_on() -> None:
    async def check() -> None:
        channel, transport = opened()
        channel.data_received(frame(b"last", 1) + b"x" * (MAX_LOGIN_PACKET + 10))
        assert await channel.receive() == b"last"
        session = Recorder()
        channel.hand_over(session)
        assert channel.handed_over
        assert transport.protocol is session
        assert session.data == b"x" * (MAX_LOGIN_PACKET + 10)
        assert transport.calls == ["pause", "resume"]

    asyncio.run(check())


def test_a_peer_that_leaves_ends_the_waiting() -> None:
    async def check() -> None:
        for error in (None, ConnectionResetError("reset")):
            channel, _ = opened()
            waiting = [asyncio.create_task(channel.receive())]
            await asyncio.sleep(0)
            channel.connection_lost(error)
            with pytest.raises(ConnectionResetError):
                await waiting[0]
            with pytest.raises(ConnectionResetError):
                channel.hand_over(Recorder())
            assert not channel.handed_over

    asyncio.run(check())
