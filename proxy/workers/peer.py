"""One end of the line between a parent and a worker: tells, asks, and answers what it is asked."""

import asyncio
import inspect
import itertools
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

from proxy.workers.messages import LONGEST, Deframer, Malformed, Message, Sort, encode

log = logging.getLogger(__name__)

# Seconds for an answer. Who does not give one in that time is stuck.
PATIENCE: Final = 10.0
Handler = Callable[[Any], Any]


class PeerGone(ConnectionError):
    """The other process has ended, or does not answer."""


class Peer(asyncio.Protocol):
    """`handlers` answer by name what comes from the other end: with a value, or with something to wait for."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._deframer = Deframer()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._transport: asyncio.Transport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.gone = asyncio.Event()

    async def open(self, end: socket.socket) -> None:
        """Take one end of a pair of sockets."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=end)

    def tell(self, name: str, value: Any = None) -> None:
        """Say something; nobody answers."""
        self._send(Message(Sort.TELLS, 0, name, value))

    async def ask(self, name: str, value: Any = None, patience: float = PATIENCE) -> Any:
        """What the other end says to that. Raises PeerGone."""
        number = next(self._numbers) & 0xFFFFFFFF
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self._send(Message(Sort.ASKS, number, name, value))
        try:
            async with asyncio.timeout(patience):
                return await answer
        except TimeoutError:
            raise PeerGone(f"no answer to {name!r} within {patience:g} s") from None
        finally:
            self._asked.pop(number, None)

    def _send(self, message: Message) -> None:
        if self._transport is None or self.gone.is_set():
            raise PeerGone("the other process has ended")
        if self._transport.get_write_buffer_size() > LONGEST:
            # It has not read for long. What it would be told then is worth nothing.
            self._transport.abort()
            raise PeerGone("the other process does not read")
        self._transport.write(encode(message))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        try:
            for message in self._deframer.feed(data):
                self._take(message)
        except Malformed as error:
            log.error("the other process cannot be understood: %s", error)
            self.close()

    def connection_lost(self, _: Exception | None) -> None:
        """Called by the event loop."""
        self.gone.set()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(PeerGone("the other process has ended"))
        for task in self._tasks:
            task.cancel()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _take(self, message: Message) -> None:
        if message.sort in (Sort.ANSWERS, Sort.FAILS):
            self._answered(message)
            return
        try:
            value = self._handlers[message.name](message.value)
        except Exception as error:
            log.exception("%s failed", message.name)
            self._answer(message, Sort.FAILS, str(error))
            return
        if inspect.isawaitable(value):
            task = asyncio.ensure_future(self._finish(message, value))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._answer(message, Sort.ANSWERS, value)

    async def _finish(self, message: Message, value: Awaitable[Any]) -> None:
        try:
            self._answer(message, Sort.ANSWERS, await value)
        except PeerGone as error:
            self._answer(message, Sort.FAILS, str(error))
        except Exception as error:
            log.exception("%s failed", message.name)
            self._answer(message, Sort.FAILS, str(error))

    def _answer(self, asked: Message, sort: Sort, value: Any) -> None:
        if asked.sort is Sort.ASKS and not self.gone.is_set():
            self._send(Message(sort, asked.number, "", value))

    def _answered(self, message: Message) -> None:
        answer = self._asked.get(message.number)
        if answer is None or answer.done():
            return
        if message.sort is Sort.FAILS:
            answer.set_exception(PeerGone(message.value))
        else:
            answer.set_result(message.value)
