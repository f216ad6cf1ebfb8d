"""Definitions without their secondary indexes, and the statements that bring those back."""

import pytest

from replication.copy.catalog import Table
from replication.copy.indexes import add_keys, bare, drop_keys, referenced

HEAD = "CREATE TABLE `t` (\n  `id` int NOT NULL AUTO_INCREMENT,\n  `a,(` int DEFAULT NULL,\n"
TAIL = "\n) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4\n PARTITION BY HASH (`id`)\nPARTITIONS 4"


def table(keys: str, head: str = HEAD, engine: str = "InnoDB") -> Table:
    return Table("app", "t", engine, (), f"{head}{keys}{TAIL}")


def test_secondary_indexes_come_later() -> None:
    found = table(
        "  PRIMARY KEY (`id`),\n  UNIQUE KEY `u``x` (`a,(`),\n  KEY `k` (`a,(`,`id`) USING BTREE COMMENT 'a, b'"
    )
    plan = bare(found)
    assert plan.create == f"{HEAD}  PRIMARY KEY (`id`){TAIL}"
    assert plan.keys == ("UNIQUE KEY `u``x` (`a,(`)", "KEY `k` (`a,(`,`id`) USING BTREE COMMENT 'a, b'")
    assert add_keys(found, plan.keys) == f"ALTER TABLE `app`.`t` ADD {plan.keys[0]}, ADD {plan.keys[1]}"
    assert drop_keys(found, plan.keys) == "ALTER TABLE `app`.`t` DROP KEY `u``x`, DROP KEY `k`"


def test_checks_and_what_stands_behind_the_keys_stay() -> None:
    plan = bare(table("  PRIMARY KEY (`id`),\n  KEY `k` (`a,(`),\n  CONSTRAINT `c` CHECK (`id` > 0)"))
    assert plan.create == f"{HEAD}  PRIMARY KEY (`id`),\n  CONSTRAINT `c` CHECK (`id` > 0){TAIL}"


@pytest.mark.parametrize(
    "found",
    [
        table("  PRIMARY KEY (`id`)"),
        table("  KEY `k` (`id`)"),
        table("  PRIMARY KEY (`a,(`,`id`),\n  KEY `counts` (`id`)"),
        table("  PRIMARY KEY (`id`),\n  KEY `k` (`a,(`),\n  FULLTEXT KEY `f` (`a,(`)"),
        table("  PRIMARY KEY (`id`),\n  KEY `k` (`a,(`),\n  CONSTRAINT `c` FOREIGN KEY (`a,(`) REFERENCES `p` (`id`)"),
        table("  PRIMARY KEY (`id`),\n  KEY `k` (`a,(`)", engine="MyISAM"),
    ],
    ids=["none", "no primary key", "one that counts", "full text", "foreign key", "no InnoDB"],
)
def test_where_indexes_cannot_wait_the_table_is_made_as_it_is(found: Table) -> None:
    assert bare(found).create == found.create
    assert bare(found).keys == ()


def test_parents_are_known_by_their_names() -> None:
    keys = (
        "  PRIMARY KEY (`id`),\n  CONSTRAINT `c` FOREIGN KEY (`a`) REFERENCES `p``q` (`id`),\n"
        "  CONSTRAINT `d` FOREIGN KEY (`b`) REFERENCES `other`.`r` (`id`) ON DELETE CASCADE"
    )
    assert referenced([table(keys)]) == {"p`q", "r"}
