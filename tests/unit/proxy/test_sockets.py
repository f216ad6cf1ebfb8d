"""Listening sockets that change hands, and what systemd is told."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from proxy.notify import Notifier
from proxy.sockets import CLIENTS, HTTP, SERVING, Sockets, bound, listening, of_systemd, take_over
from proxy.takeover import offer
from topology.errors import ConfigError


def of_our_own() -> Sockets:
    return {
        CLIENTS: [bound("127.0.0.1", 0, "--listen"), bound("127.0.0.1", 0, "--listen")],
        HTTP: [bound("127.0.0.1", 0, "--http")],
    }


def addresses(sockets: Sockets) -> dict[str, list[object]]:
    return {name: [each.getsockname() for each in some] for name, some in sockets.items()}


def close(sockets: Sockets) -> None:
    for each in (one for some in sockets.values() for one in some):
        each.close()


def test_a_successor_gets_the_same_sockets_and_dismisses_the_one_before(tmp_path: Path) -> None:
    path, own = tmp_path / "takeover", of_our_own()

    async def both() -> Sockets:
        offering = asyncio.create_task(offer(listening(path), lambda: own))
        # One that ends before it serves changes nothing.
        first = await asyncio.to_thread(take_over, path)
        assert first is not None
        first[1].close()
        close(first[0])
        second = await asyncio.to_thread(take_over, path)
        assert second is not None
        assert not offering.done()
        with second[1] as peer:
            peer.sendall(SERVING)
            async with asyncio.timeout(10):
                await offering
        return second[0]

    inherited = asyncio.run(both())
    assert addresses(inherited) == addresses(own)
    close(own)
    with socket.create_connection(inherited[CLIENTS][1].getsockname(), 10), inherited[CLIENTS][1].accept()[0]:
        pass
    close(inherited)


def test_only_the_same_user_may_take_over(tmp_path: Path) -> None:
    with listening(tmp_path / "takeover"):
        assert (tmp_path / "takeover").stat().st_mode & 0o777 == 0o600
        assert [each.name for each in tmp_path.iterdir()] == ["takeover"]


def test_nobody_may_be_there(tmp_path: Path) -> None:
    path = tmp_path / "takeover"
    assert take_over(path) is None
    listening(path).close()
    assert take_over(path) is None


def test_what_is_there_may_be_something_else(tmp_path: Path) -> None:
    path = tmp_path / "takeover"
    path.write_text("a file")
    assert take_over(path) is None
    with listening(path) as server:
        server.setblocking(True)
        with pytest.raises(ConfigError, match="cannot take over at"):
            asyncio.run(_answered(server, path))


async def _answered(server: socket.socket, path: Path) -> None:
    taking = asyncio.create_task(asyncio.to_thread(take_over, path))
    peer, _ = await asyncio.to_thread(server.accept)
    with peer:
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        await taking


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot listen at"):
        listening(tmp_path / "none" / "takeover")


def test_a_port_in_use_names_the_flag() -> None:
    with (
        bound("127.0.0.1", 0, "--http") as taken,
        pytest.raises(ConfigError, match="is in use by another program") as caught,
    ):
        bound("127.0.0.1", taken.getsockname()[1], "--http")
    assert "--http" in caught.value.remedy


def test_sockets_of_systemd_are_for_the_process_that_it_names() -> None:
    assert of_systemd({}, os.getpid()) == {}
    assert of_systemd({"LISTEN_PID": "1", "LISTEN_FDS": "1"}, os.getpid()) == {}


def test_systemd_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        notifier.ready()
        notifier.reloading()
        notifier.stopping()
        told = [systemd.recv(100).decode() for _ in range(3)]
    assert (told[0], told[2]) == ("READY=1", "STOPPING=1")
    assert told[1].startswith("RELOADING=1\nMONOTONIC_USEC=")


def test_without_systemd_nothing_is_told(tmp_path: Path) -> None:
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "none")}).ready()
