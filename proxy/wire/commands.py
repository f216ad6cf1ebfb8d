"""What a client can ask: every command that is relayed, with the shape of its reply."""

from typing import Final

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame

# A command that is not here gets ER_UNKNOWN_COM_ERROR, as from a server that does not know it. The primary says the
# same of those that only the other vendor's servers know.
REPLIES: Final = {
    c.COM_QUIT: Reply.NONE,
    c.COM_INIT_DB: Reply.RESULT,
    c.COM_QUERY: Reply.RESULT,
    c.COM_FIELD_LIST: Reply.ROWS,
    c.COM_REFRESH: Reply.RESULT,
    c.COM_SHUTDOWN: Reply.RESULT,
    c.COM_STATISTICS: Reply.SINGLE,
    c.COM_PROCESS_INFO: Reply.RESULT,
    c.COM_PROCESS_KILL: Reply.RESULT,
    c.COM_DEBUG: Reply.RESULT,
    c.COM_PING: Reply.RESULT,
    c.COM_BINLOG_DUMP: Reply.ROWS,
    c.COM_REGISTER_SLAVE: Reply.RESULT,
    c.COM_BINLOG_DUMP_GTID: Reply.ROWS,
    c.COM_STMT_PREPARE: Reply.PREPARED,
    c.COM_STMT_EXECUTE: Reply.RESULT,
    c.COM_STMT_SEND_LONG_DATA: Reply.NONE,
    c.COM_STMT_CLOSE: Reply.NONE,
    c.COM_STMT_RESET: Reply.RESULT,
    c.COM_SET_OPTION: Reply.RESULT,
    c.COM_STMT_FETCH: Reply.ROWS,
    c.COM_RESET_CONNECTION: Reply.RESULT,
    c.COM_STMT_BULK_EXECUTE: Reply.RESULT,
}
# Those that are answered with the binary log, event by event, while the client may send acknowledgements.
DUMPS: Final = frozenset({c.COM_BINLOG_DUMP, c.COM_BINLOG_DUMP_GTID})
# Those that run a prepared statement.
EXECUTIONS: Final = frozenset({c.COM_STMT_EXECUTE, c.COM_STMT_BULK_EXECUTE})


def statement_id(packet: bytes) -> int:
    """The statement that a COM_STMT_* packet (with its header) is about; -1 when the packet is too short to say."""
    return int.from_bytes(packet[5:9], "little") if len(packet) >= 9 else -1


def closing(number: int) -> bytes:
    """A COM_STMT_CLOSE."""
    return frame(bytes((c.COM_STMT_CLOSE,)) + number.to_bytes(4, "little"), 0)
