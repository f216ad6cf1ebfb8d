"""Whether a login is shown all that there is: a server hides schemas, instead of refusing them."""

import re
from collections.abc import Sequence

from topology.errors import AccessDenied
from topology.sqlclient import SqlClient

_GLOBAL = re.compile(r"GRANT (.+?) ON \*\.\* TO ")
_ROLE = re.compile(r"GRANT (?:(?! ON ).)+ TO ")
_READING = frozenset({"SELECT", "ALL PRIVILEGES"})


async def check_sees_all(client: SqlClient) -> None:
    """Raise AccessDenied for a login from which schemas may be hidden: they would be missing without a word."""
    rows = await client.query("SHOW GRANTS")
    if not sees_all([str(grant) for row in rows for grant in row.values()]):
        raise AccessDenied(
            f"{client.server} may hide schemas from {client.server.user}, who has no SELECT on all of them",
            f"GRANT SELECT ON *.* TO {client.server.user} on {client.server.name}",
        )


def sees_all(grants: Sequence[str]) -> bool:
    """Whether these grants let every schema be read. A role may hold that right: what roles hold is not told here."""
    if any(grant.startswith("REVOKE") and "SELECT" in grant for grant in grants):
        return False
    found = (match for grant in grants if (match := _GLOBAL.match(grant)))
    return any(_READING & set(match[1].split(", ")) for match in found) or any(map(_ROLE.match, grants))
