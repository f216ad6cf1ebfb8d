"""The server's side of a login, towards clients. No I/O, and no knowledge of an account table: it takes payloads, and
answers with what to do next.
"""

from collections.abc import Sequence
from typing import Final

from proxy.wire.capabilities import REQUIRED
from proxy.wire.constants import CLIENT_PLUGIN_AUTH, ER_NOT_SUPPORTED_AUTH_MODE, NATIVE_PASSWORD
from proxy.wire.dialogues import (
    Accept,
    Deny,
    Dialogue,
    Send,
    Step,
    Surroundings,
    Verify,
    dialogues,
    offered_by_client,
)
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import HandshakeResponse, auth_switch_payload, parse_response
from proxy.wire.methods import Method, Stored
from proxy.wire.replies import Err
from proxy.wire.secret import secret_of

# In the servers' words.
CANNOT_SWITCH: Final = Err(
    ER_NOT_SUPPORTED_AUTH_MODE,
    "Client does not support authentication protocol requested by server; consider upgrading MySQL client",
    "08004",
)


class ServerLogin:
    """Logs one client in.

    `response` first, then `judge` with the account's methods; after a Send `answer` with the client's next packet,
    after a Verify `verified` with what was found.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._methods: tuple[Method, ...] = ()
        self._left: list[Dialogue] = []
        self._current: Dialogue | None = None
        self._can_switch = False
        self._last = b""
        self._last_plugin = ""
        self._password: bytes | None = None

    def response(self, payload: bytes) -> HandshakeResponse:
        """Read the client's handshake response."""
        response = parse_response(payload)
        if response.capabilities & REQUIRED != REQUIRED:
            raise MalformedPacket("the client does not speak protocol 4.1 with secure authentication")
        return response

    def judge(self, response: HandshakeResponse, methods: Sequence[Method]) -> Step:
        """Begin to verify a client; it is asked to switch when it answered with another method than its account's.

        Err is for a client that would have to switch and cannot.
        """
        self._begin(methods)
        self._can_switch = bool(response.capabilities & CLIENT_PLUGIN_AUTH)
        plugin = response.plugin if self._can_switch else NATIVE_PASSWORD
        offered = offered_by_client(plugin, self._methods, self._around) or self._left[0]
        if plugin != offered.plugin:
            return self._switch()
        if offered is self._left[0]:
            del self._left[0]
        self._current = offered
        return self._judge_answer(response.auth)

    def judge_change(self, methods: Sequence[Method]) -> Step:
        """Begin to verify the user of a COM_CHANGE_USER; as servers do, whatever came with the command is ignored."""
        self._begin(methods)
        self._can_switch = True
        return self._switch()

    def answer(self, payload: bytes) -> Step:
        """Take the client's next packet."""
        if self._current is None:
            raise MalformedPacket("a packet after the end of the login")
        return self._judge_answer(payload)

    def verified(self, fitting: Stored | None) -> Step:
        """What the password of a Verify was found to fit."""
        password = self._password or b""
        if fitting is None:
            return Deny(used_password=bool(password))
        return Accept(secret_of(password), fitting)

    def judge_again(self, methods: Sequence[Method]) -> Step:
        """Judge what was denied against the account's newer methods."""
        native = self._last_plugin == NATIVE_PASSWORD
        self._begin(methods)
        if self._password is not None:
            return self._verify(self._password)
        if native and self._left[0].plugin == NATIVE_PASSWORD:
            self._current = self._left.pop(0)
            return self._judge_answer(self._last)
        return self._switch()

    def _begin(self, methods: Sequence[Method]) -> None:
        self._methods = tuple(methods)
        self._left = dialogues(methods, self._around)

    def _judge_answer(self, payload: bytes) -> Step:
        assert self._current is not None
        self._last, self._last_plugin = payload, self._current.plugin
        step = self._current.answer(payload)
        if isinstance(step, Send):
            return step
        self._current = None
        if isinstance(step, Verify):
            return self._verify(step.password)
        return self._switch() if isinstance(step, Deny) and self._left else step

    def _verify(self, password: bytes) -> Verify:
        # A password that is known is compared with everything that the account has.
        self._password = password
        return Verify(password, self._methods)

    def _switch(self) -> Step:
        if not self._can_switch:
            return CANNOT_SWITCH
        self._current = self._left.pop(0)
        return Send(auth_switch_payload(self._current.plugin, self._current.challenge))
