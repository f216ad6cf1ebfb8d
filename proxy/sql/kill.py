"""The KILL statement: whom it names, and the same statement about another connection. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from proxy.sql.comments import Unreadable, strip
from proxy.wire.constants import CLIENT_QUERY_ATTRIBUTES, COM_PROCESS_KILL
from proxy.wire.framing import frame
from proxy.wire.queryattributes import query_payload

# The reason of a KILL's Statement.
KILL: Final = "kill"
# `KILL QUERY ID n` and `KILL USER` are about other things than connections.
_KILL: Final = re.compile(
    rb"\s*(?P<words>KILL(?:\s+(?:HARD|SOFT))?(?:\s+(?:CONNECTION|(?P<query>QUERY)))?)"
    rb"(?:\s+(?P<number>\d{1,20})|\s*'(?P<quoted>\d{1,20})'|\s+(?P<own>CONNECTION_ID\s*\(\s*\))|\s*(?P<value>\?))[\s;]*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Kill:
    """`target` is the id that is named, None for the killer's own. `words` come before it, none for COM_PROCESS_KILL.

    `connection` tells whether the whole connection is meant, and not only its statement.
    """

    target: int | None
    connection: bool = True
    words: bytes = b""

    def packet(self, thread: int, capabilities: int) -> bytes:
        """The command that kills the server's thread `thread` in the same way, on a connection with these flags."""
        if self.words:
            attributes = bool(capabilities & CLIENT_QUERY_ATTRIBUTES)
            return frame(query_payload(self.words + b" %d" % thread, attributes=attributes), 0)
        return frame(bytes((COM_PROCESS_KILL,)) + (thread & 0xFFFFFFFF).to_bytes(4, "little"), 0)


def parse_kill(text: bytes, value: int | None = None) -> Kill | None:
    """The Kill that a text is, None for one that no session can be meant by. `value` is that of a `?`."""
    try:
        match = _KILL.match(strip(text))
    except Unreadable:
        return None
    if match is None or (match["value"] and value is None):
        return None
    number = match["number"] or match["quoted"]
    target = None if match["own"] else int(number) if number else value
    return Kill(target, not match["query"], match["words"])
