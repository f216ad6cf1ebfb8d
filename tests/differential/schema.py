"""What the sequences are about: an account, and three schemas for each side of each place where sequences run, one of
which only a role may use."""

from typing import Final

from proxy.wire import constants as c
from tests.support.wireclient import CAPABILITIES, Login, WireClient, first_error
from topology.servers import Vendor

USER: Final = "df_user"
PASSWORD: Final = "differential"
DIRECT: Final = "dfd"
PROXIED: Final = "dfp"
OTHERS: Final = "dfb"

_ACCOUNT: Final = (
    f"CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}'",
    *(f"GRANT ALL ON `{prefix}%`.* TO {USER}@'%'" for prefix in (DIRECT, PROXIED, OTHERS)),
    f"GRANT SELECT ON sys.* TO {USER}@'%'",
    "CREATE ROLE df_role",
    "GRANT ALL ON `of_role_%`.* TO df_role",
    f"GRANT df_role TO {USER}@'%'",
)
_SCHEMA: Final = (
    "CREATE DATABASE {a}",
    "CREATE DATABASE {b}",
    "USE {a}",
    "CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, value VARCHAR(40), n INT)",
    "CREATE TABLE noted (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(5), UNIQUE (note))",
    "CREATE TABLE counted (id INT PRIMARY KEY AUTO_INCREMENT, n INT)",
    "CREATE TABLE {b}.item (id INT PRIMARY KEY AUTO_INCREMENT, value VARCHAR(40), n INT)",
    "CREATE DATABASE {r}",
    "CREATE TABLE {r}.item (id INT)",
    "CREATE VIEW shown AS SELECT id, value FROM item",
    "CREATE TRIGGER counts BEFORE INSERT ON counted FOR EACH ROW SET @seen = IFNULL(@seen, 0) + 1",
    "CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC NO SQL RETURN 2 * x",
    "CREATE FUNCTION notes(x INT) RETURNS INT MODIFIES SQL DATA BEGIN SET @in_function = x; "
    "INSERT INTO counted (n) VALUES (x); RETURN x; END",
    "CREATE PROCEDURE several() BEGIN SELECT 1 AS a; SELECT id, value FROM item ORDER BY id; DO 1; END",
    "CREATE PROCEDURE breaks() BEGIN SELECT 1 AS a; SELECT * FROM no_such_table; SELECT 2; END",
    "CREATE PROCEDURE answers(IN a INT, OUT b INT, INOUT c VARCHAR(20)) "
    "BEGIN SELECT a AS first; SET b = a * 2, c = CONCAT(c, '!'); END",
    "CREATE PROCEDURE sets() BEGIN SET @in_procedure = 5; SET time_zone = '+02:00'; SET sql_select_limit = 2; END",
    "CREATE PROCEDURE makes() CREATE TEMPORARY TABLE of_procedure AS SELECT 1 AS a",
    "CREATE PROCEDURE begins() BEGIN START TRANSACTION; INSERT INTO item (value) VALUES ('of a procedure'); END",
    "CREATE PROCEDURE ends() COMMIT",
    "CREATE PROCEDURE shows() BEGIN SHOW WARNINGS; SELECT LAST_INSERT_ID(), ROW_COUNT(); END",
    "CREATE PROCEDURE writes() INSERT INTO item (value) VALUES ('of a procedure')",
)
# What sequences may have made.
_MADE: Final = (
    "DROP VIEW IF EXISTS {a}.seen",
    "DROP TABLE IF EXISTS {a}.made, {a}.made2",
    "DROP PROCEDURE IF EXISTS {a}.own",
    "DROP DATABASE IF EXISTS {c}",
)
_TABLES: Final = ("{a}.item", "{a}.noted", "{a}.counted", "{b}.item", "{r}.item")
_ROWS: Final = (
    "INSERT INTO {a}.item (id, value, n) VALUES (1, 'one', 1), (2, NULL, NULL), (3, 'three', 3)",
    "INSERT INTO {a}.noted (id, note) VALUES (1, 'aaa'), (2, 'bbb')",
    "INSERT INTO {b}.item (id, value, n) VALUES (1, 'other', 10)",
    "INSERT INTO {r}.item VALUES (1)",
)


class SetupFailed(Exception):
    """A statement that prepares the sequences was refused."""


class Administrator:
    """Prepares one side, through the proxy or past it: what goes past the proxy would be no write that it knows of."""

    def __init__(self, host: str, port: int, user: str, password: str, vendor: Vendor) -> None:
        self._client = WireClient(host, port).log_in(Login(user, password))
        self._vendor = vendor

    def close(self) -> None:
        """The end."""
        self._client.socket.close()

    def run(self, *texts: str) -> None:
        """Run these, all in one go. Raises SetupFailed."""
        error = first_error(self._client.query(";".join(texts))) if texts else None
        if error is not None:
            raise SetupFailed(f"{error.errno} {error.message} from one of {texts}")

    def make_account(self) -> None:
        """The account that sequences run as, and its role."""
        self.drop_account()
        for text in _ACCOUNT:
            self.run(text)

    def drop_account(self) -> None:
        """No account, no role."""
        self.run(f"DROP USER IF EXISTS {USER}@'%'", "DROP ROLE IF EXISTS df_role")

    def make_schemas(self, prefix: str) -> None:
        """The schemas of a side, with everything in them but rows."""
        self.drop_schemas(prefix)
        for text in _SCHEMA:
            self.run(text.format(**_names(prefix)))
        if self._vendor is Vendor.MARIADB:
            self.run("CREATE SEQUENCE sq")

    def make_rows(self, prefix: str, *, anew: bool) -> None:
        """The rows that every sequence begins with. `anew`: counters begin at the beginning, too, and what the sequence
        before has made is gone; that takes several times as long."""
        emptied = [f"{'TRUNCATE TABLE' if anew else 'DELETE FROM'} {table}" for table in _TABLES]
        restarted = [f"ALTER SEQUENCE {prefix}a.sq RESTART 1"] if anew and self._vendor is Vendor.MARIADB else []
        texts = [*(_MADE if anew else ()), *emptied, *_ROWS, *restarted]
        self.run(*(text.format(**_names(prefix)) for text in texts))

    def drop_schemas(self, prefix: str) -> None:
        """No schemas."""
        self.run(*(f"DROP DATABASE IF EXISTS {name}" for name in _names(prefix).values()))


def _names(prefix: str) -> dict[str, str]:
    """What stands in the place of letters in the texts above."""
    return {"a": f"{prefix}a", "b": f"{prefix}b", "c": f"{prefix}c", "r": f"of_role_{prefix}"}


def login(schema: str, flags: int) -> Login:
    """The account of the sequences; `flags` are capabilities beyond the usual, without those that track the session."""
    return Login(USER, PASSWORD, schema, CAPABILITIES | flags)


DIALECTS: Final = (0, c.CLIENT_DEPRECATE_EOF, c.CLIENT_FOUND_ROWS, c.CLIENT_IGNORE_SPACE | c.CLIENT_DEPRECATE_EOF)
