"""One TLS context for all of PyMySQL's connections of a test run.

Without TLS options PyMySQL (1.2) makes a context for each connection, in which OpenSSL reads all authorities that the
system trusts, for certificates that are then not verified: 127 ms each where many tests ran side by side on two cores,
3 ms without those authorities.
"""

from typing import Any

from pymysql.connections import Connection


def share_context() -> None:
    """From now on connections without TLS options have the same context; others one of their own, as before."""
    make = Connection._create_ssl_ctx
    shared = make(Connection(defer_connect=True), {})

    def context(connection: "Connection[Any]", options: Any) -> Any:
        return make(connection, options) if options else shared

    Connection._create_ssl_ctx = context
