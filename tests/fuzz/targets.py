"""All fuzz targets by name. Each takes any bytes, and raises when an invariant does not hold."""

from collections.abc import Callable, Mapping
from typing import Final

from tests.fuzz import logins, session, sql, transport, wire

Target = Callable[[bytes], None]

TARGETS: Final[Mapping[str, Target]] = {
    "greeting": wire.greeting,
    "response": wire.response,
    "auth_switch": wire.auth_switch,
    "change_user": wire.change_user,
    "replies": wire.replies,
    "primitives": wire.primitives,
    "framing": wire.framing,
    "body_stream": wire.body_stream,
    "exchange": wire.exchange,
    "translator": wire.translator,
    "query_attributes": wire.query_attributes,
    "proxy_header": transport.proxy_header,
    "attributes": transport.attributes,
    "compressed": transport.compressed,
    "server_login": logins.server_login,
    "client_login": logins.client_login,
    "inbox": session.inbox,
    "large_commands": session.large_commands,
    "machine": session.machine,
    "lexer": sql.lexer,
    "classify": sql.classify,
}
