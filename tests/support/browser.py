"""A real browser without a window, driven over the DevTools protocol; only for machines that have one."""

import asyncio
import base64
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.waiting import wait_until

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_DEADLINE = 30.0


def program() -> str | None:
    """The path of a browser, None if there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Page:
    """One page that is open in the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.problems: list[str] = []

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json(timeout=_DEADLINE)
            if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.problems.append(str(message["params"]))
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    async def open(self, url: str) -> None:
        """Go there; what goes wrong in the page from then on is in `problems`."""
        for domain in ("Page", "Runtime", "Log"):
            await self._call(f"{domain}.enable")
        await self._call("Page.navigate", url=url)

    async def value(self, script: str) -> Any:
        """What `script` evaluates to."""
        answer = await self._call("Runtime.evaluate", expression=script, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def wait_for(self, script: str) -> None:
        """Wait until `script` is true."""
        try:
            async with asyncio.timeout(_DEADLINE):
                while True:
                    if await self.value(script):
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{script} in:\n{await self.value('document.body.innerText')}") from None

    async def look_like(self, width: int, height: int, *, dark: bool) -> None:
        """Be a screen of this size, in pixels, whose user likes it dark or light."""
        await self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self._call("Emulation.setEmulatedMedia", features=[feature])

    async def screenshot(self) -> bytes:
        """The page as people see it, as a PNG."""
        answer = await self._call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])


@asynccontextmanager
async def browsing(browser: str) -> AsyncIterator[Page]:
    """An empty page in a browser of its own."""
    with _running(browser) as port:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = await answer.json(content_type=None)
            address = next(each["webSocketDebuggerUrl"] for each in pages if each["type"] == "page")
            async with http.ws_connect(address) as socket:
                yield Page(socket)


@contextmanager
def _running(browser: str) -> Iterator[int]:
    """The browser, and the port at which it is driven: it writes that to a file."""
    with tempfile.TemporaryDirectory(prefix="many-") as profile:
        arguments = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "about:blank")
        command = [browser, f"--user-data-dir={profile}", *arguments]
        file = Path(profile) / "DevToolsActivePort"
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
            try:
                wait_until(lambda: file.exists() and bool(file.read_text()), "the browser has started")
                yield int(file.read_text().split()[0])
            finally:
                os.killpg(process.pid, signal.SIGKILL)
