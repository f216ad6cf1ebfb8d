"""A client so light that one process can be thousands of them: raw packets on an event loop, text queries only."""

import asyncio
import os
from collections.abc import Iterable
from typing import Self

from proxy.wire import constants as c
from proxy.wire.capabilities import layout_of
from proxy.wire.clientlogin import ClientLogin, Safety
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from proxy.wire.handshake import HandshakeResponse, parse_greeting, response_payload
from proxy.wire.replies import Err, Ok, parse_ok
from proxy.wire.secret import secret_of
from tests.support.wireclient import UTF8MB4, Login, Packet, Refused, first_error, query, text_rows

Row = tuple[str | None, ...]


class LightClient:
    """One connection. `insert_id` is that of the last write's reply."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._capabilities = 0
        self.insert_id = 0

    @classmethod
    async def connect(cls, host: str, port: int, login: Login) -> Self:
        """Connect and log in. Raises Refused."""
        client = cls(*await asyncio.open_connection(host, port, limit=16 * 1024))
        try:
            await client._log_in(login)
        except BaseException:
            client.close()
            raise
        return client

    @property
    def name(self) -> str:
        """What the proxy's log calls it."""
        host, port = self._writer.get_extra_info("sockname")
        return f"client {host}:{port}"

    async def _log_in(self, login: Login) -> None:
        packet = await self._packet()
        if (error := first_error([packet])) is not None:
            raise Refused(error)
        greeting = parse_greeting(packet[1])
        self._capabilities = login.capabilities | (c.CLIENT_CONNECT_WITH_DB if login.database else 0)
        self._capabilities &= greeting.capabilities
        state = ClientLogin(
            secret_of(login.password.encode()), greeting.nonce, greeting.plugin, os.urandom(32), Safety(private=True)
        )
        response = HandshakeResponse(
            capabilities=self._capabilities,
            max_packet_size=1 << 30,
            collation_id=UTF8MB4,
            user=login.user,
            auth=state.first_answer(),
            database=login.database,
            plugin=state.plugin,
        )
        self._writer.write(frame(response_payload(response), 1))
        answer: bytes | Ok | Err | None = None
        while not isinstance(answer, Ok):
            sequence, payload = await self._packet()
            answer = state.answer(payload)
            if isinstance(answer, Err):
                raise Refused(answer)
            if isinstance(answer, bytes):
                self._writer.write(frame(answer, sequence + 1))

    async def run(self, text: str) -> list[Row]:
        """Run one statement; its rows. Raises Refused for an error."""
        self._writer.write(frame(query(text), 0))
        packets = await self._reply()
        if (error := first_error(packets)) is not None:
            raise Refused(error)
        if len(packets) == 1:
            self.insert_id = parse_ok(packets[0][1]).last_insert_id or self.insert_id
        return [tuple(_texts(row)) for row in text_rows(packets)]

    async def _reply(self) -> list[Packet]:
        exchange, packets = Exchange(Reply.RESULT, layout_of(self._capabilities)), []
        while not exchange.done:
            sequence, payload = await self._packet()
            exchange.feed(len(payload).to_bytes(3, "little") + bytes((sequence,)) + payload)
            packets.append((sequence, payload))
        return packets

    async def _packet(self) -> Packet:
        header = await self._reader.readexactly(4)
        return header[3], await self._reader.readexactly(int.from_bytes(header[:3], "little"))

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


def _texts(row: Iterable[bytes | None]) -> Iterable[str | None]:
    return (None if value is None else value.decode() for value in row)
