"""The account that replicas log in with on the primary."""

import asyncio
import base64
import hashlib

from replication.perform import perform
from replication.report import Reporter
from replication.statements import Dialect
from topology.errors import AccessDenied
from topology.servers import Role, Server
from topology.sqlclient import SqlClient, connected

_ITERATIONS = 600_000


def password_for(service_password: str, user: str) -> str:
    """The replication account's password: the same in every run, and kept nowhere.

    It is derived from the service account's password, so that a later run can attach one more replica without
    changing what the others use. Slow on purpose: replicas store it, and it must not give away what it came from.
    """
    salt = f"manyreads replication account {user}".encode()
    digest = hashlib.pbkdf2_hmac("sha256", service_password.encode(), salt, _ITERATIONS, dklen=18)
    # Password policies may want a digit, a capital and a special character; MySQL replicas take at most 32 characters.
    return "Mr1-" + base64.urlsafe_b64encode(digest).decode()


async def ensure_replicator(client: SqlClient, statements: Dialect, user: str, reporter: Reporter) -> str:
    """Make sure that the account exists with its password, and return that; writes on the primary only if it must."""
    primary = client.server
    password = await asyncio.to_thread(password_for, primary.password, user)
    if not await _is_valid(Server(primary.name, primary.host, primary.port, Role.PRIMARY, user, password)):
        try:
            await perform(client, statements.create_replicator(user, password))
        except AccessDenied as denied:
            # Whoever may not pass a privilege on is told by MariaDB just that access is denied.
            raise AccessDenied(
                f"{denied.problem}, while the replication account {user} was to be made",
                f"GRANT CREATE USER, REPLICATION SLAVE ON *.* TO {primary.user} WITH GRANT OPTION on {primary.name}",
            ) from denied
        reporter.say(primary.name, f"made the replication account {user}")
    return password


async def _is_valid(login: Server) -> bool:
    try:
        async with connected(login) as client:
            grants = await client.query("SHOW GRANTS")
    except AccessDenied:
        return False
    return any("REPLICATION SLAVE" in str(value) for row in grants for value in row.values())
