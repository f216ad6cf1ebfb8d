"""The baseline: a forwarder of raw bytes on the proxy's event loop, which knows nothing of MySQL.

What it costs is what asyncio, uvloop and the kernel cost; what the proxy costs beyond that is the proxy's own work.
"""

import asyncio
import socket
from typing import Annotated, cast

import typer
import uvloop


class Side(asyncio.Protocol):
    """One of the two connections; `other` gets what it receives."""

    transport: asyncio.Transport
    other: "Side"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.other.transport.close()


class ServerSide(Side):
    """The connection to the server, which speaks first."""

    def __init__(self, client: Side) -> None:
        self.other = client
        client.other = self


class ClientSide(Side):
    """The client's connection; it is read from once the server's is there."""

    def __init__(self, host: str, port: int) -> None:
        self.other = self
        self._target = (host, port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: ServerSide(self), *self._target)
        except OSError:
            self.transport.abort()
            return
        if self.transport.is_closing():
            self.other.transport.close()
        else:
            self.transport.resume_reading()


async def serve(host: str, port: int) -> None:
    """Forward every connection to `host`:`port`; prints the port that it listens on."""
    server = await asyncio.get_running_loop().create_server(lambda: ClientSide(host, port), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main(host: Annotated[str, typer.Argument()], port: Annotated[int, typer.Argument()]) -> None:
    """Forward raw bytes to host and port."""
    uvloop.run(serve(host, port))


if __name__ == "__main__":
    typer.run(main)
