"""Which system variables tell about the server that is asked, or about one connection of the session."""

import re
from typing import Final

_PREFIXES: Final = (
    "gtid_",
    "log_bin",
    "server_",
    "wsrep_",
    "rpl_",
    "slave_",
    "replica_",
    "innodb_",
    "group_replication_",
)
_LIKE: Final = {"%": ".*", "_": "."}
_NAMES: Final = frozenset(
    """
    hostname port read_only super_read_only last_insert_id identity last_gtid pseudo_thread_id pseudo_slave_mode
    pseudo_replica_mode socket pid_file datadir insert_id timestamp rand_seed1 rand_seed2 autocommit in_transaction
    transaction_read_only tx_read_only report_host report_port offline_mode basedir relay_log relay_log_index
    relay_log_basename report_user bind_address admin_address admin_port mysqlx_port mysqlx_socket statement_id
    general_log general_log_file slow_query_log_file log_error tmpdir skip_replication sql_log_bin proxy_user
    external_user version_compile_machine version_compile_os large_page_size system_time_zone
    init_file secure_file_priv secure_log_path aria_log_dir_path
    """.split()
)


def is_server_local(name: str) -> bool:
    """Whether `name` (lower case) is one of these; clients use some to find the primary."""
    return name in _NAMES or name.startswith(_PREFIXES)


def may_be_server_local(pattern: str) -> bool:
    """Whether a LIKE pattern (lower case, without escapes) can match one of these."""
    return any(_matches_beginning(pattern, prefix) for prefix in _PREFIXES) or any(
        _matches(pattern, name) for name in _NAMES
    )


def _matches_beginning(pattern: str, prefix: str) -> bool:
    """Whether `pattern` can match a name that begins with `prefix`."""
    for wanted, char in zip(pattern, prefix, strict=False):
        if wanted == "%":
            return True
        if wanted not in ("_", char):
            return False
    return len(pattern) > len(prefix)


def _matches(pattern: str, name: str) -> bool:
    return re.fullmatch("".join(_LIKE.get(char, re.escape(char)) for char in pattern), name) is not None
