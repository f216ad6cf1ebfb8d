"""Logins at servers, with a server that is the test."""

import asyncio
from typing import cast

import pytest

from proxy.backend.connection import BackendConnection, Owner
from proxy.backend.greetings import Greetings
from proxy.backend.login import Identity, open_connection
from proxy.backend.origin import Origin
from proxy.errors import ServerLost
from proxy.wire.constants import CLIENT_PLUGIN_AUTH, CLIENT_PROTOCOL_41
from proxy.wire.framing import frame
from proxy.wire.handshake import Greeting, greeting_payload
from proxy.wire.replies import Err, Ok, err_payload, ok_payload
from proxy.wire.secret import secret_of
from topology.servers import Role, Server

GREETING = Greeting("8.4.0", 7, b"n" * 20, 0xDFFFFFFF, 45, 2, "mysql_native_password")
FLAGS = CLIENT_PROTOCOL_41 | CLIENT_PLUGIN_AUTH
APP = Identity("app", secret_of(b"p"), FLAGS, 0, 45, "", b"", Origin(("10.1.2.3", 1), ("10.9.9.9", 2)))


class Session:
    """Who wants the connection."""

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by the connection."""


def test_a_connection_that_ends_with_its_login_is_none() -> None:
    farewell = frame(err_payload(Err(1053, "Server shutdown in progress", "08S01")), 0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(greeting_payload(GREETING), 0))
        await reader.read(1)
        writer.write(frame(ok_payload(Ok()), 2) + farewell)
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
            server = Server("dbread1", "127.0.0.1", listening.sockets[0].getsockname()[1], Role.REPLICA)
            with pytest.raises(ServerLost, match="closed after the login"):
                await open_connection(server, APP, cast(Owner, Session()), 30, Greetings(30))

    asyncio.run(test())
