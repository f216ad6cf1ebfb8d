"""Whether grants let a login see every schema."""

import pytest

from replication.copy.sight import sees_all

USAGE = "GRANT USAGE ON *.* TO `m`@`%`"


@pytest.mark.parametrize(
    ("grants", "all_of_them"),
    [
        (["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` IDENTIFIED BY PASSWORD '*A' WITH GRANT OPTION"], True),
        (["GRANT SELECT, RELOAD, PROCESS ON *.* TO `m`@`%`"], True),
        (["GRANT RELOAD, SELECT ON *.* TO `m`@`%`", "GRANT BACKUP_ADMIN ON *.* TO `m`@`%`"], True),
        ([USAGE, "GRANT `reader`@`%` TO `m`@`%`"], True),
        ([USAGE], False),
        ([USAGE, "GRANT SELECT ON `app`.* TO `m`@`%`"], False),
        (["GRANT RELOAD, PROCESS ON *.* TO `m`@`%`", "GRANT SELECT ON `manyreads`.* TO `m`@`%`"], False),
        (["GRANT SELECT, RELOAD ON *.* TO `m`@`%`", "REVOKE SELECT ON `secret`.* FROM `m`@`%`"], False),
        (["GRANT PROXY ON ''@'%' TO 'm'@'%'"], False),
    ],
)
def test_grants_tell_whether_a_schema_may_be_hidden(grants: list[str], all_of_them: bool) -> None:
    assert sees_all(grants) is all_of_them
