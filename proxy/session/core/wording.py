"""Errors that the proxy answers in a server's place, in the words of that server. Pure.

The texts were taken from MariaDB 10.11 and MySQL 9.7.
"""

import math
from typing import Final

from proxy.wire import constants as c
from proxy.wire.replies import Err
from topology.servers import Vendor

_MARIADB_FUNCTIONS: Final = {
    c.COM_STMT_EXECUTE: "mysqld_stmt_execute",
    c.COM_STMT_BULK_EXECUTE: "mysqld_stmt_execute",
    c.COM_STMT_FETCH: "mysqld_stmt_fetch",
    c.COM_STMT_RESET: "mysqld_stmt_reset",
}
# Why a connection is given up.
MOVED: Final = "it is not the server any more that it was"
_MYSQL_FUNCTION: Final = "mysql_stmt_precheck"


def product_name(vendor: Vendor | None) -> str:
    """What a server calls itself in its errors."""
    return "MariaDB" if vendor is Vendor.MARIADB else "MySQL"


def no_replica() -> Err:
    """A read that only a replica may serve, and none is fit."""
    return Err(
        c.ER_UNKNOWN_ERROR, "No replica is fit for this read, and primary_reads = never keeps it off the primary"
    )


def unknown_command() -> Err:
    """A command that the server does not know."""
    return Err(c.ER_UNKNOWN_COM, "Unknown command", "08S01")


def no_clone() -> Err:
    """MySQL's COM_CLONE, for a user without the privilege: through the proxy nobody can clone."""
    message = "Access denied; you need (at least one of) the BACKUP_ADMIN privilege(s) for this operation"
    return Err(c.ER_SPECIFIC_ACCESS_DENIED, message, "42000")


def host_not_allowed(host: str, vendor: Vendor | None) -> Err:
    """There is no account for clients from `host`."""
    message = f"Host '{host}' is not allowed to connect to this {product_name(vendor)} server"
    return Err(c.ER_HOST_NOT_PRIVILEGED, message)


def host_is_blocked(host: str, seconds: float) -> Err:
    """There were too many wrong passwords from `host`."""
    message = f"Host '{host}' is blocked because of too many failed logins; try again in {math.ceil(seconds)} s"
    return Err(c.ER_HOST_IS_BLOCKED, message)


def user_is_blocked(user: str, host: str, seconds: float) -> Err:
    """There were too many wrong passwords of `user` from `host`; nobody has looked at this one."""
    message = f"Access denied for user '{user}'@'{host}': too many failed logins; try again in {math.ceil(seconds)} s"
    return Err(c.ER_ACCESS_DENIED, message, "28000")


def unknown_statement(code: int, number: int, vendor: Vendor) -> Err:
    """Command `code` was about a prepared statement that does not exist."""
    function = _MARIADB_FUNCTIONS.get(code, "") if vendor is Vendor.MARIADB else _MYSQL_FUNCTION
    return Err(c.ER_UNKNOWN_STMT_HANDLER, f"Unknown prepared statement handler ({number}) given to {function}")


def malformed(vendor: Vendor) -> Err:
    """A command with too few bytes, or bytes that mean nothing."""
    return Err(c.ER_MALFORMED_PACKET, f"Malformed communication packet{_stop(vendor)}")


def no_cursor(number: int, vendor: Vendor) -> Err:
    """A COM_STMT_FETCH for a statement that was not executed with a cursor, or whose rows were all fetched."""
    return Err(c.ER_STMT_HAS_NO_OPEN_CURSOR, f"The statement ({number}) has no open cursor{_stop(vendor)}")


def too_many_statements(most: int) -> Err:
    """There is no room for another prepared statement."""
    message = f"Can't create more than max_prepared_stmt_count statements (current value: {most})"
    return Err(c.ER_MAX_PREPARED_STMT_COUNT_REACHED, message, "42000")


def snapshot_lost(reason: str) -> Err:
    """A statement of a read-only transaction would not see what the reads before it have seen."""
    message = (
        "Deadlock found when trying to get lock; try restarting transaction (its reads ran on a replica, and this "
        f"statement, {reason}, has to run on the primary, where there were writes since)"
    )
    return Err(c.ER_LOCK_DEADLOCK, message, "40001")


def in_progress() -> Err:
    """In a server's words: characteristics are only for a transaction that has not begun."""
    message = "Transaction characteristics can't be changed while a transaction is in progress"
    return Err(c.ER_CANT_CHANGE_TX_CHARACTERISTICS, message, "25001")


def reads_changed() -> Err:
    """What a transaction has read on a replica is not what the primary has; it was rolled back."""
    message = (
        "Deadlock found when trying to get lock; try restarting transaction (what it has read on a replica has changed "
        "on the primary since)"
    )
    return Err(c.ER_LOCK_DEADLOCK, message, "40001")


def replay_differs() -> Err:
    """A transaction was run again after the loss of the primary, and gave something else; it was rolled back."""
    message = (
        "Deadlock found when trying to get lock; try restarting transaction (the primary was lost, and what the "
        "transaction had done gave other results when it was run again)"
    )
    return Err(c.ER_LOCK_DEADLOCK, message, "40001")


def insert_id_lost() -> Err:
    """A statement asks for what only a connection knew that is lost."""
    message = "LAST_INSERT_ID() is not known: the connection to the primary was lost after the last write"
    return Err(c.ER_UNKNOWN_ERROR, message)


def session_over() -> Err:
    """A session that was to be killed has ended by itself."""
    return Err(c.ER_NO_SUCH_THREAD, "Unknown thread id: the session has just ended")


def interrupted() -> Err:
    """A statement was killed before it ran."""
    return Err(c.ER_QUERY_INTERRUPTED, "Query execution was interrupted", "70100")


def _stop(vendor: Vendor) -> str:
    return "" if vendor is Vendor.MARIADB else "."
