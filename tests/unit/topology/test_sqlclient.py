"""What a server may not do to the control side."""

import asyncio
from pathlib import Path

import pytest

from proxy.wire.capabilities import offered
from proxy.wire.constants import CLIENT_LOCAL_FILES, NATIVE_PASSWORD
from proxy.wire.framing import frame
from proxy.wire.handshake import Greeting, greeting_payload
from proxy.wire.replies import Ok, ok_payload
from topology.errors import ServerError
from topology.servers import Role, Server, ServerTls, TlsPolicy
from topology.sqlclient import connected


def test_a_server_gets_no_file_of_ours(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not send")
    assert b"do not send" not in asyncio.run(ask_rogue_server(secret))


async def ask_rogue_server(file: Path) -> bytes:
    """Ask a server that answers each query with a request for `file`; returns all that it was sent."""
    received = bytearray()
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        capabilities = offered(0xFFFFFFFF) | CLIENT_LOCAL_FILES
        writer.write(frame(greeting_payload(Greeting("8.0.0", 1, b"n" * 20, capabilities, 45, 2, NATIVE_PASSWORD)), 0))
        await reader.read(4096)
        writer.write(frame(ok_payload(Ok(status=2)), 2))
        while data := await reader.read(4096):
            received.extend(data)
            asking = b"SELECT" in data
            writer.write(frame(b"\xfb" + str(file).encode() if asking else ok_payload(Ok(status=2)), 1))
        writer.close()
        await writer.wait_closed()
        over.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as rogue:
        port = rogue.sockets[0].getsockname()[1]
        with pytest.raises(ServerError, match="broke the protocol"):
            async with connected(Server("rogue", "127.0.0.1", port, Role.PRIMARY, "u", "p")) as client:
                await client.query("SELECT 1")
        await over.wait()
    return bytes(received)


@pytest.mark.parametrize("mode", [ServerTls.REQUIRED, ServerTls.VERIFY_CA, ServerTls.VERIFY_FULL])
def test_a_server_that_must_have_tls_and_has_none_is_told_nothing(mode: ServerTls) -> None:
    assert asyncio.run(log_in_without_tls(mode)) == b""


async def log_in_without_tls(mode: ServerTls) -> bytes:
    """Try to log in at a server that offers no TLS; returns all that it was sent."""
    received: list[bytes] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting = Greeting("8.0.0", 1, b"n" * 20, offered(0xFFFFFFFF), 45, 2, NATIVE_PASSWORD)
        writer.write(frame(greeting_payload(greeting), 0))
        received.append(await reader.read())
        writer.close()
        await writer.wait_closed()
        over.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        server = Server("old", "127.0.0.1", port, Role.PRIMARY, "u", "p", TlsPolicy(mode))
        with pytest.raises(ServerError, match=f"old .* offers no TLS, which server_tls = {mode} requires"):
            async with connected(server):
                pass
        await over.wait()
    return received[0]
