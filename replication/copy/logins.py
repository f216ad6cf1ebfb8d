"""Reading the accounts of one server, and making a replica's accounts the primary's."""

import re
from collections.abc import Callable, Sequence

from replication.copy.accounts import (
    Account,
    AccountChanges,
    account_from,
    changes,
    excess,
    wanted_grants,
)
from replication.statements import SYSTEM_ACCOUNTS, account, name, text
from topology.errors import AccessDenied, ServerError, StatementRefused
from topology.servers import Vendor
from topology.sqlclient import SqlClient

_UNKNOWN_VARIABLE = 1193
# ER_PASSWORD_NO_MATCH, of SHOW CREATE USER.
_UNUSED = 1133

Warn = Callable[[str], None]


async def read_accounts(client: SqlClient, vendor: Vendor) -> tuple[Account, ...]:
    """All accounts and roles of one server but its own internal ones; needs SELECT on the mysql schema."""
    if vendor is Vendor.MYSQL:
        await _hex_hashes(client)
    role = "is_role" if vendor is Vendor.MARIADB else "'N'"
    rows = await client.query(f"SELECT User AS user, Host AS host, {role} AS is_role FROM mysql.user ORDER BY 1, 2")
    return tuple(
        [
            await _read_account(client, vendor, str(row["user"]), str(row["host"]), is_role=row["is_role"] == "Y")
            for row in rows
            if row["user"] not in SYSTEM_ACCOUNTS
        ]
    )


async def _hex_hashes(client: SqlClient) -> None:
    try:
        # caching_sha2_password's salts hold bytes that do not survive as text.
        await client.execute("SET SESSION print_identified_with_as_hex = 1")
    except StatementRefused as error:
        if error.errno != _UNKNOWN_VARIABLE:
            raise


async def _read_account(client: SqlClient, vendor: Vendor, user: str, host: str, *, is_role: bool) -> Account:
    who = text(user) if is_role else account(user, host)
    try:
        create = "" if is_role else next(iter((await client.one(f"SHOW CREATE USER {who}")).values()))
    except StatementRefused as error:
        if error.errno != _UNUSED:
            raise
        return Account(user, host, unused=True)
    public = is_role and user == "PUBLIC"
    rows = await client.query(f"SHOW GRANTS FOR {'PUBLIC' if public else who}")
    grants = [str(next(iter(row.values()))) for row in rows]
    # A role's grants include those of the roles granted to it; only its own lines belong to it.
    own = [grant for grant in grants if not is_role or public or re.search(rf" TO `{re.escape(user)}`", grant)]
    return account_from(vendor, user, host, is_role=is_role, create=str(create), grants=own)


async def current_account(client: SqlClient) -> tuple[str, str]:
    """User and host of the account that this connection was given."""
    user, _, host = str(await client.value("SELECT CURRENT_USER()")).rpartition("@")
    return user, host


async def install_login(client: SqlClient, login: Account) -> None:
    """Make the primary's service account valid on the replica; what it may do already it keeps."""
    await client.execute(login.create.replace("CREATE USER", "CREATE USER IF NOT EXISTS", 1))
    await client.execute(login.alter())
    for grant in login.grants:
        if " ON *.* TO " in grant:
            await client.execute(grant)


async def adopt(
    client: SqlClient, vendor: Vendor, wanted: Sequence[Account], login: Account, warn: Warn, spared: str = ""
) -> AccountChanges:
    """Turn the replica's accounts into `wanted`, except for grants on single objects.

    An account called `spared` that is not wanted stays, and those that the primary does not use are as they were.
    """
    unused = {each.name for each in wanted if each.unused}
    present = [each for each in await read_accounts(client, vendor) if each.name not in unused]
    todo = changes([each for each in wanted if not each.unused], present, login.name, spared)
    for each in todo.dropped:
        await client.execute(f"DROP {'ROLE' if each.is_role else 'USER'} {each.name}")
    for each in todo.made:
        await client.execute(each.make())
    for each in todo.altered:
        if not each.is_role:
            await client.execute(each.alter())
    await _each(client, wanted_grants(todo.regranted, early=True), warn)
    await _each(client, [each.default_roles for each in todo.regranted if each.default_roles], warn)
    if vendor is Vendor.MARIADB:
        await _give_up_roles(client, todo.made, login)
    _warn_of_excess(login, present, warn)
    for who in sorted(unused):
        warn(f"left {who} as it is there: the primary does not use this account, as it runs with skip_name_resolve")
    return todo


async def grant_on_objects(client: SqlClient, todo: AccountChanges, warn: Warn) -> None:
    """Give the grants that refer to schemas, tables, columns and routines."""
    await _each(client, wanted_grants(todo.regranted, early=False), warn)


async def _give_up_roles(client: SqlClient, made: Sequence[Account], login: Account) -> None:
    # MariaDB makes whoever creates a role its administrator, which on the primary was perhaps somebody else. Only an
    # administrator can grant the role, so this comes after all grants.
    for each in made:
        held = next((grant for grant in login.grants if grant.startswith(f"GRANT {name(each.user)} TO ")), "")
        if each.is_role and not held.endswith(" WITH ADMIN OPTION"):
            what = f"ADMIN OPTION FOR {each.name}" if held else each.name
            await client.execute(f"REVOKE {what} FROM {login.name}")


async def _each(client: SqlClient, statements: Sequence[str], warn: Warn) -> None:
    for statement in statements:
        try:
            await client.execute(statement)
        except (StatementRefused, AccessDenied) as error:
            warn(f"could not repeat {statement!r}: {error.problem}")


def _warn_of_excess(login: Account, present: Sequence[Account], warn: Warn) -> None:
    before = next((each for each in present if each.name == login.name), None)
    for grant in excess(login, before) if before else ():
        warn(f"{login.name} keeps a right there that it lacks on the primary: {grant}")


def find_login(accounts: Sequence[Account], user: str, host: str) -> Account:
    """The account that the service login uses on the primary."""
    for each in accounts:
        if (each.user, each.host) == (user, host):
            return each
    raise ServerError(
        f"the primary's account {account(user, host)} is not in mysql.user",
        "log in there with an account of its own",
    )
