"""The server's side of a login, towards clients. No I/O, and no knowledge of an account table: it takes payloads, and
answers with what to do next.
"""

from collections.abc import Sequence
from typing import Final

from proxy.wire.capabilities import REQUIRED
from proxy.wire.constants import (
    CACHING_SHA2,
    CLIENT_LONG_PASSWORD,
    CLIENT_PLUGIN_AUTH,
    ER_NOT_SUPPORTED_AUTH_MODE,
    NATIVE_PASSWORD,
)
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

# More than an account has methods.
MANY_SWITCHES: Final = 100
# Their first answer says the same of every stored string.
_REPEATABLE: Final = frozenset({NATIVE_PASSWORD, CACHING_SHA2})


class ServerLogin:
    """Logs one client in.

    `response` first, then `judge` with the account's methods; after a Send `answer` with the client's next packet,
    after a Verify `verified` with what was found. `flags` are the capability flags as the client sent them: what it
    has agreed on says less of what it is.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._methods: tuple[Method, ...] = ()
        self._left: list[Dialogue] = []
        self._current: Dialogue | None = None
        self.flags = 0
        self._switches_left = 0
        self._last = b""
        self._last_plugin = ""
        self._password: bytes | None = None

    def response(self, payload: bytes) -> HandshakeResponse:
        """Read the client's handshake response."""
        response = parse_response(payload)
        if response.capabilities & REQUIRED != REQUIRED:
            raise MalformedPacket("the client does not speak protocol 4.1 with secure authentication")
        self.flags = response.capabilities
        return response

    def judge(self, response: HandshakeResponse, methods: Sequence[Method]) -> Step:
        """Begin to verify a client; it is asked to switch when it answered with another method than its account's.

        Err is for a client that would have to switch and cannot.
        """
        self._begin(self.flags, methods)
        plugin = response.plugin if self._switches_left else NATIVE_PASSWORD
        offered = offered_by_client(plugin, self._methods, self._around) or self._left[0]
        if plugin != offered.plugin:
            return self._switch()
        if offered is self._left[0]:
            del self._left[0]
        self._current = offered
        return self._judge_answer(response.auth)

    def judge_change(self, flags: int, methods: Sequence[Method]) -> Step:
        """Begin to verify the user of a COM_CHANGE_USER by a client whose login had these `flags`.

        As servers do, whatever came with the command is ignored.
        """
        self._begin(flags, methods)
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
        """Judge what was denied against the account's newer methods, as far as the client can be asked again."""
        self._look_at(methods)
        if self._password is not None:
            return self._verify(self._password)
        for dialogue in self._left:
            if dialogue.plugin == self._last_plugin and dialogue.plugin in _REPEATABLE:
                self._left.remove(dialogue)
                self._current = dialogue
                return self._judge_answer(self._last)
        return self._switch(Deny(used_password=True))

    def _begin(self, flags: int, methods: Sequence[Method]) -> None:
        self._switches_left = _switches(flags)
        self._look_at(methods)

    def _look_at(self, methods: Sequence[Method]) -> None:
        self._methods = tuple(methods)
        # A second look at an account with signatures may need another switch.
        self._left = dialogues(methods, self._around, signing=self._switches_left > 1)

    def _judge_answer(self, payload: bytes) -> Step:
        assert self._current is not None
        self._last, self._last_plugin = payload, self._current.plugin
        step = self._current.answer(payload)
        if isinstance(step, Send):
            return step
        self._current = None
        if isinstance(step, Verify):
            return self._verify(step.password)
        return self._switch(step) if isinstance(step, Deny) and self._left else step

    def _verify(self, password: bytes) -> Verify:
        # A password that is known is compared with everything that the account has.
        self._password = password
        return Verify(password, self._methods)

    def _switch(self, otherwise: Deny | None = None) -> Step:
        if not self._switches_left:
            return otherwise or self._cannot_switch()
        self._switches_left -= 1
        self._current = self._left.pop(0)
        return Send(auth_switch_payload(self._current.plugin, self._current.challenge))

    def _cannot_switch(self) -> Err:
        # In the servers' words.
        message = (
            "Client does not support authentication protocol requested by server;"
            f" consider upgrading {self._around.product} client"
        )
        return Err(ER_NOT_SUPPORTED_AUTH_MODE, message, "08004")


def _switches(flags: int) -> int:
    """How many requests to switch a client can take: MariaDB's clients take any number, those of others one."""
    if not flags & CLIENT_PLUGIN_AUTH:
        return 0
    return 1 if flags & CLIENT_LONG_PASSWORD else MANY_SWITCHES
