"""Accounts, roles and grants: what the replica needs so that it ends with the primary's. Pure.

The texts come from SHOW CREATE USER and SHOW GRANTS; passwords travel as their hashes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from replication.statements import account, text
from topology.servers import Vendor

_NAME = r"`(?:[^`]|``)*`"
_DEFAULT_ROLE = re.compile(rf" DEFAULT ROLE ({_NAME}@{_NAME}(?:,{_NAME}@{_NAME})*)")
# MariaDB repeats password and limits, which CREATE USER has set already, in the grant on *.*.
_REPEATED = re.compile(rf"^(GRANT .* ON \*\.\* TO {_NAME}(?:@{_NAME})?)(?: IDENTIFIED| REQUIRE| WITH (?!GRANT)).*$")


@dataclass(frozen=True, slots=True)
class Account:
    """One account or role. `create` is empty for a MariaDB role; `default_roles` is a statement or empty.

    One that is `unused` is in the server's tables only: MariaDB neither shows nor lets in accounts of host names if it
    runs with skip_name_resolve.
    """

    user: str
    host: str
    is_role: bool = False
    create: str = field(default="", repr=False)
    grants: tuple[str, ...] = ()
    default_roles: str = ""
    unused: bool = False

    @property
    def name(self) -> str:
        """The name as account statements want it."""
        return text(self.user) if self.is_role else account(self.user, self.host)

    @property
    def is_public(self) -> bool:
        """MariaDB's PUBLIC, which every server has and nobody can create or drop."""
        return self.is_role and self.user == "PUBLIC"

    def alter(self) -> str:
        """Give an account that exists this one's password and attributes."""
        return "ALTER" + self.create.removeprefix("CREATE")

    def make(self) -> str:
        """Create the account without any grant."""
        return f"CREATE ROLE {self.name}" if self.is_role else self.create


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """What turns the replica's accounts into the primary's.

    `dropped` go, `made` are created anew, `altered` get another password or attributes; the grants of `regranted` are
    given again, first those on everything and roles, and those on single objects once the objects are there.
    """

    dropped: tuple[Account, ...] = ()
    made: tuple[Account, ...] = ()
    altered: tuple[Account, ...] = ()
    regranted: tuple[Account, ...] = ()


def account_from(vendor: Vendor, user: str, host: str, *, is_role: bool, create: str, grants: Sequence[str]) -> Account:
    """Put one account together from what SHOW CREATE USER and SHOW GRANTS answered."""
    default = ""
    if vendor is Vendor.MYSQL and (match := _DEFAULT_ROLE.search(create)):
        # A role can only be a default once it exists and is granted.
        default = f"ALTER USER {account(user, host)} DEFAULT ROLE {match[1]}"
        create = create.replace(match[0], "", 1)
    defaults = [line for line in grants if line.startswith("SET DEFAULT ROLE")]
    given = tuple(sorted(_without_repetition(line) for line in grants if line not in defaults))
    return Account(user, host, is_role, create, given, default or next(iter(defaults), ""))


def _without_repetition(grant: str) -> str:
    match = _REPEATED.match(grant)
    if match is None:
        return grant
    return match[1] + (" WITH GRANT OPTION" if " WITH GRANT OPTION" in grant else "")


def changes(primary: Sequence[Account], replica: Sequence[Account], kept: str, spared: str = "") -> AccountChanges:
    """How to make the replica's accounts equal to the primary's.

    `kept` is the name of the account that the work itself runs under: it is altered but never dropped, even for a
    moment, since a run that ends there could not log in again. `spared` stays though the primary lacks it.
    """
    wanted = {each.name: each for each in primary}
    present = {each.name: each for each in replica}
    different = [each for each in primary if each.name in present and _differs(each, present[each.name], kept)]
    missing = [each for each in primary if each.name not in present]
    return AccountChanges(
        dropped=tuple(each for each in replica if each.name not in {*wanted, spared} and not each.is_public)
        + tuple(different),
        made=tuple(each for each in (*different, *missing) if not each.is_public),
        altered=tuple(
            each
            for each in primary
            if each.name in present and each not in different and each.create != present[each.name].create
        ),
        regranted=tuple(
            _to_give(each, None if each in different else present.get(each.name))
            for each in primary
            if each in different or each.grants != getattr(present.get(each.name), "grants", None)
        ),
    )


def _to_give(wanted: Account, present: Account | None) -> Account:
    """`wanted` with only those grants that an account which stays does not have already."""
    had = present.grants if present else ()
    return replace(wanted, grants=tuple(grant for grant in wanted.grants if grant not in had))


def _differs(wanted: Account, present: Account, kept: str) -> bool:
    if present.unused:
        return True
    same = wanted.grants == present.grants and wanted.default_roles == present.default_roles
    return not same and wanted.name != kept and not wanted.is_public


def excess(wanted: Account, present: Account) -> tuple[str, ...]:
    """Grants that the account has on the replica and not on the primary."""
    return tuple(grant for grant in present.grants if grant not in wanted.grants)


def is_early(grant: str) -> bool:
    """Whether a grant refers to no schema object, so that it can be given before the objects exist."""
    return " ON *.* TO " in grant or " ON " not in grant


def wanted_grants(accounts: Sequence[Account], *, early: bool) -> list[str]:
    """The grant statements of one of the two rounds; a role is given after the roles' own grants."""
    chosen = [grant for each in accounts for grant in each.grants if is_early(grant) is early]
    # A role has to be an administrator's own before it can be passed on.
    return sorted(chosen, key=lambda grant: (" ON " not in grant, " WITH ADMIN OPTION" not in grant))
