"""What turns the replica's accounts into the primary's."""

from replication.copy.accounts import Account, account_from, changes, excess, is_early, wanted_grants
from topology.servers import Vendor

ROOT = Account("root", "%", create="CREATE USER `root`@`%` IDENTIFIED BY 'new'", grants=("GRANT ALL ON *.* TO x",))
OLD_ROOT = Account("root", "%", create="CREATE USER `root`@`%` IDENTIFIED BY 'old'", grants=ROOT.grants)
APP = Account("app", "%", create="CREATE USER `app`@`%`", grants=("GRANT SELECT ON `d`.* TO `app`@`%`",))


def test_the_login_that_is_spared_stays_and_others_go() -> None:
    todo = changes([ROOT], [ROOT, APP, OLD_ROOT], ROOT.name, spared=APP.name)
    assert APP not in todo.dropped
    assert changes([ROOT], [ROOT, APP], ROOT.name).dropped == (APP,)


def test_accounts_that_the_primary_lacks_are_dropped() -> None:
    todo = changes([ROOT], [ROOT, APP], ROOT.name)
    assert (todo.dropped, todo.made, todo.altered, todo.regranted) == ((APP,), (), (), ())


def test_accounts_that_the_replica_lacks_are_made() -> None:
    todo = changes([ROOT, APP], [ROOT], ROOT.name)
    assert (todo.made, todo.regranted) == ((APP,), (APP,))


def test_another_password_is_altered_in_place() -> None:
    todo = changes([ROOT, APP], [OLD_ROOT, APP], APP.name)
    assert (todo.dropped, todo.altered) == ((), (ROOT,))
    assert ROOT.alter() == "ALTER USER `root`@`%` IDENTIFIED BY 'new'"


def test_other_rights_mean_a_new_account() -> None:
    more = Account("app", "%", create=APP.create, grants=(*APP.grants, "GRANT INSERT ON `d`.* TO `app`@`%`"))
    todo = changes([ROOT, APP], [ROOT, more], ROOT.name)
    assert (todo.dropped, todo.made, todo.regranted) == ((APP,), (APP,), (APP,))


def test_the_account_in_use_is_never_dropped() -> None:
    more = Account("root", "%", create=ROOT.create, grants=(*ROOT.grants, "GRANT PROXY ON x TO y"))
    todo = changes([ROOT], [more], ROOT.name)
    assert (todo.dropped, todo.made) == ((), ())
    assert excess(ROOT, more) == ("GRANT PROXY ON x TO y",)


def test_one_that_the_replica_has_only_in_its_tables_is_made_anew() -> None:
    todo = changes([ROOT, APP], [ROOT, Account("app", "%", unused=True)], ROOT.name)
    assert ([each.name for each in todo.dropped], todo.made, todo.altered) == ([APP.name], (APP,), ())
    assert todo.regranted == (APP,)


def test_mariadb_repeats_the_password_in_a_grant() -> None:
    grant = "GRANT ALL PRIVILEGES ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*HASH' WITH GRANT OPTION"
    shown = account_from(Vendor.MARIADB, "a", "%", is_role=False, create="CREATE USER `a`@`%`", grants=[grant])
    assert shown.grants == ("GRANT ALL PRIVILEGES ON *.* TO `a`@`%` WITH GRANT OPTION",)


def test_mariadb_default_role_comes_with_the_grants() -> None:
    lines = ["GRANT `r` TO `a`@`%`", "SET DEFAULT ROLE `r` FOR `a`@`%`"]
    shown = account_from(Vendor.MARIADB, "a", "%", is_role=False, create="CREATE USER `a`@`%`", grants=lines)
    assert (shown.grants, shown.default_roles) == (("GRANT `r` TO `a`@`%`",), "SET DEFAULT ROLE `r` FOR `a`@`%`")


def test_mysql_default_role_is_given_after_the_role() -> None:
    create = "CREATE USER `a`@`%` IDENTIFIED WITH 'x' AS 0x41 DEFAULT ROLE `r`@`%`,`s`@`%` REQUIRE NONE"
    shown = account_from(Vendor.MYSQL, "a", "%", is_role=False, create=create, grants=[])
    assert shown.create == "CREATE USER `a`@`%` IDENTIFIED WITH 'x' AS 0x41 REQUIRE NONE"
    assert shown.default_roles == "ALTER USER 'a'@'%' DEFAULT ROLE `r`@`%`,`s`@`%`"


def test_grants_on_objects_wait_for_the_objects() -> None:
    assert is_early("GRANT PROCESS ON *.* TO `a`@`%`")
    assert is_early("GRANT `r`@`%` TO `a`@`%`")
    assert not is_early("GRANT EXECUTE ON PROCEDURE `d`.`p` TO `a`@`%`")


def test_roles_are_granted_after_rights_and_first_to_administrators() -> None:
    role = Account("r", "", is_role=True, grants=("GRANT USAGE ON *.* TO `r`",))
    user = Account("a", "%", grants=("GRANT `r` TO `a`@`%`", "GRANT USAGE ON *.* TO `a`@`%`"))
    admin = Account("z", "%", grants=("GRANT `r` TO `z`@`%` WITH ADMIN OPTION",))
    assert wanted_grants([user, role, admin], early=True)[-2:] == [*admin.grants, "GRANT `r` TO `a`@`%`"]
