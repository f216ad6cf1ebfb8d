"""The trace that a client's statement belongs to, as the client says it.

Either in a comment (sqlcommenter: `/*traceparent='00-...-...-01'*/`), or as the query attribute `traceparent`. Both
have what W3C Trace Context calls so: version, id of the trace, id of the span, flags. Pure.
"""

import re
from typing import Final

from proxy.session.shared.ran import Ran
from proxy.sql.classify import MAX_PARSED
from proxy.sql.lexer import DEFAULT_QUOTING
from proxy.tracing.span import Parent
from proxy.wire import constants as c
from proxy.wire.errors import MalformedPacket
from proxy.wire.queryattributes import attribute, attribute_of_execution

_NAME: Final = b"traceparent"
_VALUE: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_IN_COMMENT: Final = re.compile(rb"\btraceparent\s*=\s*'([^']*)'")
_SAMPLED: Final = 1


def parent_of(ran: Ran) -> Parent | None:
    """The client's span; None if it names none that is valid."""
    # Both names are in the packet as they are, unless it is that of a prepared statement.
    packet, prepared = ran.request.packet, ran.request.prepared
    if _NAME not in packet and (prepared is None or _NAME not in prepared.packet):
        return None
    try:
        return _parent(_attribute(ran) or _in_comment(ran.text))
    except MalformedPacket:
        return None


def _attribute(ran: Ran) -> bytes:
    request = ran.request
    if not ran.whose.attributes:
        return b""
    if request.prepared is None:
        return attribute(request.packet, _NAME) if request.code == c.COM_QUERY else b""
    prepared = request.prepared
    # Values that were sent before, as long data, are missing between the others.
    if request.code != c.COM_STMT_EXECUTE or prepared.held or prepared.spilled is not None:
        return b""
    if not prepared.has_attributes(request.packet):
        return b""
    return attribute_of_execution(request.packet, _NAME)


def _in_comment(text: bytes) -> bytes:
    """What the last comment says that has one; no comment of a text so long that it is not read at all."""
    found = b""
    if len(text) > MAX_PARSED:
        return found
    for token in DEFAULT_QUOTING.tokens.finditer(text):
        if token[0].startswith(b"/*") and (match := _IN_COMMENT.search(token[0])) is not None:
            found = match[1]
    return found


def _parent(value: bytes) -> Parent | None:
    match = _VALUE.fullmatch(value)
    if match is None:
        return None
    trace, span, flags = (int(part, 16) for part in match.groups())
    return Parent(trace, span, bool(flags & _SAMPLED)) if trace and span else None
