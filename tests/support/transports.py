"""A transport without a socket, and a protocol that remembers."""

import asyncio
from types import SimpleNamespace
from typing import Any


class FakeTransport(asyncio.Transport):
    """Keeps what is written, and what else was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.calls: list[str] = []
        self.closing = False
        self.protocol: asyncio.BaseProtocol | None = None

    def take(self) -> bytes:
        """Everything written since the last call."""
        data = b"".join(self.written)
        self.written.clear()
        return data

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.calls.append("close")
        self.closing = True

    def abort(self) -> None:
        self.calls.append("abort")
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def is_reading(self) -> bool:
        return "pause" not in self.calls[-1:]

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.calls.append(f"limits {high}")

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.written))

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        known = {"peername": ("192.0.2.1", 5), "socket": SimpleNamespace(setsockopt=lambda *arguments: None)}
        return known.get(name, default)


class Recorder(asyncio.Protocol):
    """Keeps what it received and was told."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.calls: list[str] = []
        self.lost: list[Exception | None] = []

    @property
    def data(self) -> bytes:
        """Everything received."""
        return b"".join(self.pieces)

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")
