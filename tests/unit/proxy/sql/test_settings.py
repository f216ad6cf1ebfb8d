"""SET and USE: what is repeated on other connections, and what ties the session to the primary."""

import pytest

from proxy.sql.classify import Classifier
from proxy.sql.settings import unsafe_sql_mode
from proxy.sql.statement import Kind, Statement
from topology.servers import Vendor

CLASSIFIER = Classifier(Vendor.MARIADB)


def classified(text: str) -> Statement:
    return CLASSIFIER.classify(text.encode())


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("SET autocommit=0", "autocommit"),
        ("SET @@autocommit = ON", "autocommit"),
        ("SET SESSION wait_timeout = 5, LOCAL max_statement_time = 1.5", "wait_timeout,max_statement_time"),
        ("SET @@session.sql_mode = 'STRICT_ALL_TABLES'", "sql_mode"),
        ("SET sql_mode = TRADITIONAL", "sql_mode"),
        ("SET NAMES utf8mb4", "names"),
        ("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin'", "names"),
        ("SET CHARACTER SET latin1", "character set"),
        ("SET character_set_results = NULL", "character_set_results"),
        ("SET character_set_client = cp1251", "character_set_client"),
        ("SET a = -1", "a"),
        ("SET max_join_size = DEFAULT", "max_join_size"),
        ("SET transaction_isolation = 'READ-COMMITTED'", "transaction_isolation"),
        ("SET SESSION transaction_read_only = 1", "transaction_read_only"),
        ("SET SESSION TRANSACTION  READ ONLY", "SET SESSION TRANSACTION READ ONLY"),
        ("SET ROLE NONE", "role"),
        ("SET ROLE 'a'@'%', b", "role"),
        ("SET @a = 1, sql_safe_updates = 1", "sql_safe_updates"),
    ],
)
def test_a_setting_that_can_be_repeated(text: str, setting: str) -> None:
    assert classified(text) == Statement(Kind.SESSION, "session-setting", setting=setting)


@pytest.mark.parametrize(
    "value",
    ["4", "+4", "1048576", "0x414e5349", "x'414e5349'", "DEFAULT", "'ANSI'", "'ANSI_QUOTES,STRICT_ALL_TABLES'", "ANSI",
     "'no_backslash_escapes'", "`ANSI`", '"ORACLE"', "'A\\NSI'", "'MSSQL'"],
)  # fmt: skip
@pytest.mark.parametrize("target", ["sql_mode", "@@sql_mode", "SESSION sql_mode", "@@session.sql_mode", "`sql_mode`"])
def test_a_sql_mode_that_changes_quotes_or_may_do_so_pins(target: str, value: str) -> None:
    assert classified(f"SET {target} = {value}").pin == "sql-mode"


@pytest.mark.parametrize(
    "text",
    ["SET NAMES gbk", "SET NAMES 'GBK'", "SET NAMES DEFAULT", "SET CHARACTER SET sjis", "SET CHARSET 'cp932'",
     "SET character_set_client = big5", "SET @@character_set_client = 28", "SET NAMES 'g\\Bk'", "SET NAMES gb18030",
     "SET autocommit = 1, NAMES gbk", "SET character_set_client = DEFAULT"],
)  # fmt: skip
def test_a_character_set_with_backslashes_in_its_characters_pins(text: str) -> None:
    assert classified(text).pin == "character-set"


@pytest.mark.parametrize(
    ("text", "reason", "pin", "writes"),
    [
        ("SET GLOBAL x = 1", "set-global", "", True),
        ("SET @@global.x = 1", "set-global", "", True),
        ("SET PERSIST x = 1", "set-global", "", True),
        ("SET @@persist_only.x = 1", "set-global", "", True),
        ("SET GLOBAL x = 1, GLOBAL y = 2", "set-global", "", True),
        ("SET GLOBAL x = 1, sql_mode = ''", "set-mixed", "set-mixed", True),
        ("SET SESSION x = 1, GLOBAL y = 2", "set-mixed", "set-mixed", True),
        ("SET @a = f(), sql_mode = ''", "set-mixed", "set-mixed", True),
        ("SET NAMES utf8mb4, @a = (SELECT 1)", "set-mixed", "set-mixed", True),
        ("SET @old = @@sql_mode, sql_mode = ''", "set-mixed", "set-mixed", True),
        ("SET @a = 1", "user-variable", "", False),
        ("SET @a := 'x', @b = -1", "user-variable", "", False),
        ("SET @a = @b", "user-variable", "", False),
        ("SET @a = f()", "user-variable", "", True),
        ("SET @a = 1, @b = f()", "user-variable", "", True),
        ("SET @a = 1, GLOBAL x = 1", "user-variable", "", True),
        ("SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", "set-expression", "set-expression:sql_mode", True),
        ("SET x = f()", "set-expression", "set-expression:x", True),
        ("SET x = @y", "set-expression", "set-expression:x", True),
        ("SET timestamp = 1", "connection-variable", "connection-variable:timestamp", True),
        ("SET SESSION sql_log_bin = 0", "connection-variable", "connection-variable:sql_log_bin", True),
        ("SET pseudo_thread_id = 1", "connection-variable", "connection-variable:pseudo_thread_id", True),
        ("SET sql_auto_is_null = 1", "connection-variable", "connection-variable:sql_auto_is_null", True),
        ("SET a = 1, insert_id = 5", "connection-variable", "connection-variable:insert_id", True),
        ("SET TRANSACTION READ ONLY", "next-transaction", "next-transaction", False),
        ("SET @@transaction_isolation = 'SERIALIZABLE'", "next-transaction", "next-transaction", False),
        ("SET GLOBAL TRANSACTION READ ONLY", "set-global", "", True),
        ("SET PASSWORD = 'x'", "write", "", True),
        ("SET PASSWORD FOR a@b = 'x'", "set-unknown", "set-unknown", True),
        ("SET DEFAULT ROLE ALL TO a", "set-unknown", "set-unknown", True),
        ("SET RESOURCE GROUP g", "set-unknown", "set-unknown", True),
        ("SET STATEMENT max_statement_time = 1 FOR UPDATE t SET a = 1", "set-unknown", "set-unknown", True),
        ("SET STATEMENT max_statement_time = 1 FOR SELECT 1", "set-unknown", "set-unknown", True),
        ("SET x.y = 1", "set-unknown", "set-unknown", True),
        ("SET NEW.a = 1", "set-unknown", "set-unknown", True),
        ("SET", "set-unknown", "set-unknown", True),
        ("SET a", "set-unknown", "set-unknown", True),
        ("USE 'a'", "unparsed", "unknown-statement", True),
        ("USE a b", "unparsed", "unknown-statement", True),
    ],
)  # fmt: skip
def test_a_setting_for_the_primary(text: str, reason: str, pin: str, writes: bool) -> None:
    assert classified(text) == Statement(Kind.PRIMARY, reason, pin, writes=writes)


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("USE a", "a"),
        ("use `a b`", "a b"),
        ("USE`a``b`;", "a`b"),
        ("USE 1a$", "1a$"),
        (" USE é ", "é"),
        ("USE mysql", "mysql"),
    ],
)
def test_use_names_the_schema(text: str, schema: str) -> None:
    assert classified(text) == Statement(Kind.SESSION, "session-setting", setting="use", schema=schema)


def test_unsafe_sql_modes() -> None:
    assert unsafe_sql_mode("STRICT_ALL_TABLES,ansi_quotes")
    assert not unsafe_sql_mode("ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT")
