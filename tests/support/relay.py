"""A fixed address behind which one server is replaced by another, as at a provider that fails over."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"
# What is closed with it is reset.
_RESET = struct.pack("ii", 1, 0)


class Relay:
    """Passes connections at `port` on to the port that `switch` named last; 0 refuses them.

    What the server says comes `delay` seconds late.
    """

    def __init__(self, target: int, delay: float = 0.0) -> None:
        self.port = 0
        self.delay = delay
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._stranded: set[asyncio.StreamWriter] = set()
        self._upward, self._downward = asyncio.Event(), asyncio.Event()
        self._upward.set()
        self._downward.set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def switch(self, target: int, *, breaking: bool = True, resetting: bool = False) -> None:
        """Another server is there from now on; connections to the one before break, or are left as they are.

        `resetting`: with a reset, as by a network that is cut, and not as if the server had closed them.
        """

        async def change() -> None:
            self._target = target
            for writer in list(self._open) if breaking else ():
                _reset(writer) if resetting else writer.transport.abort()

        asyncio.run_coroutine_threadsafe(change(), self._loop).result()

    def strand(self) -> None:
        """Reset the clients' connections. The server is told nothing of that, and keeps its ends."""

        async def change() -> None:
            self._stranded |= self._clients
            for writer in self._clients:
                _reset(writer)

        asyncio.run_coroutine_threadsafe(change(), self._loop).result()

    def hold(self, *, upward: bool = False, downward: bool = False) -> None:
        """From now on keep what clients say, or what the server says; what is not named goes on."""
        for gate, held in ((self._upward, upward), (self._downward, downward)):
            self._loop.call_soon_threadsafe(gate.clear if held else gate.set)

    def close(self) -> None:
        """End everything."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._target = 0
        self._upward.set()
        self._downward.set()
        self._server.close()
        # Whatever was accepted last may still be about to become a task.
        await asyncio.sleep(0)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for writer in self._open:
                writer.transport.abort()
            await asyncio.wait(others, timeout=0.05)
            await asyncio.sleep(0)

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._pass_on, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            there_reader, there = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        self._open.add(there)
        self._clients.add(writer)
        await asyncio.gather(
            self._upwards(reader, writer, there), _copy(there_reader, writer, self._downward, lambda: self.delay)
        )
        there.transport.abort()
        for known in (self._open, self._clients, self._stranded):
            known -= {writer, there}

    async def _upwards(
        self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        await _copy(reader, server, self._upward, ends=lambda: client not in self._stranded)


async def _copy(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    gate: asyncio.Event,
    delay: Callable[[], float] = lambda: 0.0,
    ends: Callable[[], bool] = lambda: True,
) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            if seconds := delay():
                await asyncio.sleep(seconds)
            await gate.wait()
            writer.write(data)
            await writer.drain()
    if ends():
        writer.transport.abort()


def _reset(writer: asyncio.StreamWriter) -> None:
    # One that is closed already cannot be told.
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


@contextmanager
def relaying(target: int, delay: float = 0.0) -> Iterator[Relay]:
    """A relay to the server at port `target`, whose replies come `delay` seconds late."""
    relay = Relay(target, delay)
    try:
        yield relay
    finally:
        relay.close()
