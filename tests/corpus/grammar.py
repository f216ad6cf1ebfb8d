"""Statements made from a grammar of both dialects; always the same ones."""

import random
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

from tests.corpus.functions import CALLS, OTHERS, WINDOWS

_SEED: Final = 20260101
# So many of the queries that could be made.
_QUERIES: Final = 1500


def _read_parts() -> dict[str, list[str]]:
    """The texts of the grammar by section; `-` stands for an empty one, `\\n` for the end of a line in one."""
    parts: dict[str, list[str]] = {}
    for line in Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            texts = parts.setdefault(line[2:], [])
        else:
            texts.append("" if line == "-" else line.replace("\\n", "\n"))
    return parts


_PARTS: Final = _read_parts()

# What the statements are about, for servers of both vendors.
SCHEMA: Final = (
    "CREATE DATABASE corpus",
    "USE corpus",
    """CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a INT DEFAULT 5, b VARCHAR(20), c DATETIME, d DECIMAL(10, 2),
       e JSON, g GEOMETRY, KEY (a), KEY kb (b))""",
    "CREATE TABLE u (id INT PRIMARY KEY AUTO_INCREMENT, t_id INT, x VARCHAR(20), FULLTEXT KEY (x)) ENGINE=InnoDB",
    "CREATE TABLE p (id INT PRIMARY KEY, a INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), "
    "PARTITION p1 VALUES LESS THAN MAXVALUE)",
    "INSERT INTO t (a, b, c, d, e, g) VALUES (1, 'x', '2026-01-01', 1.5, '{\"k\": 1}', ST_GeomFromText('POINT(1 1)'))",
    "INSERT INTO t (a, b) VALUES (2, 'y'), (3, NULL)",
    "INSERT INTO u (t_id, x) VALUES (1, 'one'), (2, 'two')",
    "CREATE VIEW v AS SELECT id, a FROM t",
    "CREATE FUNCTION writing() RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO u (t_id) VALUES (9); RETURN 1; END",
    "CREATE FUNCTION reading() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM t)",
    "CREATE PROCEDURE proc() BEGIN SELECT 1; SET @inside = 1; END",
    "CREATE PROCEDURE setting() SET SESSION time_zone = '+03:00'",
)


_VARIABLES: Final = {
    "autocommit": ("0", "1", "ON", "DEFAULT"),
    "sql_mode": ("''", "'ANSI_QUOTES'", "ANSI", "CONCAT(@@sql_mode, ',ANSI')", "DEFAULT"),
    "time_zone": ("'+01:00'", "SYSTEM", "@x"),
    "character_set_client": ("latin1", "'utf8mb4'", "gbk"),
    "character_set_results": ("NULL", "utf8mb4"),
    "collation_connection": ("utf8mb4_bin", "'latin1_bin'"),
    "sql_select_limit": ("5", "DEFAULT", "1 + 1"),
    "max_join_size": ("1000", "@@max_join_size"),
    "foreign_key_checks": ("0", "OFF", "TRUE"),
    "unique_checks": ("0", "1"),
    "sql_safe_updates": ("1", "(SELECT 1)"),
    "group_concat_max_len": ("9999", "writing()"),
    "wait_timeout": ("100",),
    "net_read_timeout": ("100",),
    "tx_isolation": ("'READ-COMMITTED'",),
    "transaction_isolation": ("'READ-COMMITTED'",),
    "transaction_read_only": ("1", "0"),
    "lc_time_names": ("'de_DE'",),
    "sql_log_bin": ("0",),
    "timestamp": ("5", "DEFAULT"),
    "insert_id": ("5",),
    "last_insert_id": ("5",),
    "rand_seed1": ("5",),
    "pseudo_thread_id": ("5",),
    "sql_auto_is_null": ("1",),
    "session_track_schema": ("0",),
    "optimizer_switch": ("'mrr=off'", "DEFAULT"),
    "default_storage_engine": ("InnoDB",),
    "nonsense": ("1",),
}


def statements() -> list[str]:
    """All of them, each once."""
    return list(dict.fromkeys([*_queries(), *_calls(), *_settings(), *_others()]))


def _queries() -> Iterator[str]:
    chance = random.Random(_SEED)
    made: set[str] = set()
    while len(made) < _QUERIES:
        head, expressions = chance.choice(_PARTS["heads"]), chance.sample(_PARTS["expressions"], chance.randint(1, 3))
        parts = (
            head,
            ", ".join(expressions),
            *map(chance.choice, (_PARTS["sources"], _PARTS["conditions"], _PARTS["tails"], _PARTS["ends"])),
        )
        query = " ".join(part for part in parts if part)
        made.add(chance.choice(_PARTS["around"]).format(query))
    yield from sorted(made)


def _calls() -> Iterator[str]:
    chance = random.Random(_SEED + 1)
    for call in CALLS:
        for place in chance.sample(_PARTS["call places"], 3):
            yield place.format(call)
    for call, place in product([*WINDOWS, *OTHERS], _PARTS["call places"]):
        yield place.format(call)


def _settings() -> Iterator[str]:
    yield from _PARTS["sets"]
    for name, values in _VARIABLES.items():
        for value, target in product(values, ("{}", "SESSION {}", "@@{}", "@@session.{}", "GLOBAL {}", "LOCAL {}")):
            yield f"SET {target.format(name)} = {value}"
        yield f"SELECT @@{name}"
        yield f"SELECT @@session.{name}, @@global.{name}"
    for one, other in product(("@x = 1", "NAMES latin1", "autocommit = 1", "GLOBAL max_join_size = 5"), repeat=2):
        yield f"SET {one}, {other}"


def _others() -> Iterator[str]:
    for text in (*_PARTS["changes"], *_PARTS["other definitions"]):
        yield text
        yield f"/*!50000 {text} */"
        yield f"/* x */ {text.lower()} -- x"
        yield f"{text}; SELECT 1"
        yield f"EXPLAIN {text}"
    for text, table in product(_PARTS["definitions"], ("TABLE", "TEMPORARY TABLE")):
        yield text.format(table)
        yield f"SELECT 1; {text.format(table)}"
    for shown in _PARTS["shown"]:
        yield f"SHOW {shown}"
        yield f"show /* x */ {shown.lower()}"
        yield f"SELECT 1; SHOW {shown}"
