"""Numbers of the protocol, under the names that its documentation uses."""

from typing import Final

MAX_PAYLOAD: Final = 0xFFFFFF
HEADER_SIZE: Final = 4

# Capability flags, exchanged in the handshake.
CLIENT_LONG_PASSWORD: Final = 1 << 0
CLIENT_FOUND_ROWS: Final = 1 << 1
CLIENT_LONG_FLAG: Final = 1 << 2
CLIENT_CONNECT_WITH_DB: Final = 1 << 3
CLIENT_NO_SCHEMA: Final = 1 << 4
CLIENT_COMPRESS: Final = 1 << 5
CLIENT_ODBC: Final = 1 << 6
CLIENT_LOCAL_FILES: Final = 1 << 7
CLIENT_IGNORE_SPACE: Final = 1 << 8
CLIENT_PROTOCOL_41: Final = 1 << 9
CLIENT_INTERACTIVE: Final = 1 << 10
CLIENT_SSL: Final = 1 << 11
CLIENT_IGNORE_SIGPIPE: Final = 1 << 12
CLIENT_TRANSACTIONS: Final = 1 << 13
CLIENT_RESERVED: Final = 1 << 14
CLIENT_SECURE_CONNECTION: Final = 1 << 15
CLIENT_MULTI_STATEMENTS: Final = 1 << 16
CLIENT_MULTI_RESULTS: Final = 1 << 17
CLIENT_PS_MULTI_RESULTS: Final = 1 << 18
CLIENT_PLUGIN_AUTH: Final = 1 << 19
CLIENT_CONNECT_ATTRS: Final = 1 << 20
CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA: Final = 1 << 21
CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS: Final = 1 << 22
CLIENT_SESSION_TRACK: Final = 1 << 23
CLIENT_DEPRECATE_EOF: Final = 1 << 24

CLIENT_OPTIONAL_RESULTSET_METADATA: Final = 1 << 25
CLIENT_ZSTD_COMPRESSION: Final = 1 << 26
CLIENT_QUERY_ATTRIBUTES: Final = 1 << 27
CLIENT_MULTI_FACTOR: Final = 1 << 28
# MariaDB's own, which its packets keep apart from the 32 above.
MARIADB_CLIENT_PROGRESS: Final = 1 << 32
MARIADB_CLIENT_COM_MULTI: Final = 1 << 33
MARIADB_CLIENT_STMT_BULK_OPERATIONS: Final = 1 << 34
MARIADB_CLIENT_EXTENDED_METADATA: Final = 1 << 35
MARIADB_CLIENT_CACHE_METADATA: Final = 1 << 36
MARIADB_CLIENT_BULK_UNIT_RESULTS: Final = 1 << 37

# Status flags, in OK and EOF packets.
SERVER_STATUS_IN_TRANS: Final = 0x0001
SERVER_STATUS_AUTOCOMMIT: Final = 0x0002
SERVER_MORE_RESULTS_EXISTS: Final = 0x0008
SERVER_STATUS_CURSOR_EXISTS: Final = 0x0040
SERVER_STATUS_NO_BACKSLASH_ESCAPES: Final = 0x0200
SERVER_PS_OUT_PARAMS: Final = 0x1000

# Commands: the first byte of a client's packet.
COM_QUIT: Final = 0x01
COM_INIT_DB: Final = 0x02
COM_QUERY: Final = 0x03
COM_FIELD_LIST: Final = 0x04
COM_REFRESH: Final = 0x07
COM_STATISTICS: Final = 0x09
COM_PROCESS_INFO: Final = 0x0A
COM_PROCESS_KILL: Final = 0x0C
COM_DEBUG: Final = 0x0D
COM_PING: Final = 0x0E
COM_STMT_PREPARE: Final = 0x16
COM_STMT_EXECUTE: Final = 0x17
COM_STMT_SEND_LONG_DATA: Final = 0x18
COM_STMT_CLOSE: Final = 0x19
COM_STMT_RESET: Final = 0x1A
COM_SET_OPTION: Final = 0x1B
COM_STMT_FETCH: Final = 0x1C
COM_RESET_CONNECTION: Final = 0x1F

# First bytes of replies and of login packets.
OK_HEADER: Final = 0x00
AUTH_MORE_DATA: Final = 0x01
AUTH_NEXT_FACTOR: Final = 0x02
LOCAL_INFILE_HEADER: Final = 0xFB
EOF_HEADER: Final = 0xFE
ERR_HEADER: Final = 0xFF

# Authentication methods.
NATIVE_PASSWORD: Final = "mysql_native_password"
CACHING_SHA2: Final = "caching_sha2_password"
SHA256_PASSWORD: Final = "sha256_password"
CLEAR_PASSWORD: Final = "mysql_clear_password"
DIALOG: Final = "dialog"
# An account of MariaDB says ed25519 where the protocol says client_ed25519.
ED25519: Final = "ed25519"
CLIENT_ED25519: Final = "client_ed25519"
PARSEC: Final = "parsec"

# Error numbers that the proxy itself sends or acts on.
ER_CON_COUNT: Final = 1040
ER_HANDSHAKE: Final = 1043
ER_ACCESS_DENIED: Final = 1045
ER_UNKNOWN_COM: Final = 1047
ER_SERVER_SHUTDOWN: Final = 1053
ER_NET_PACKET_TOO_LARGE: Final = 1153
ER_NET_PACKETS_OUT_OF_ORDER: Final = 1156
ER_UNKNOWN_STMT_HANDLER: Final = 1243
ER_NOT_SUPPORTED_AUTH_MODE: Final = 1251
ER_QUERY_INTERRUPTED: Final = 1317
ER_ACCESS_DENIED_NO_PASSWORD: Final = 1698
ER_PROXY_INTERNAL: Final = 1105
CR_CONN_HOST: Final = 2003
CR_SERVER_LOST: Final = 2013
