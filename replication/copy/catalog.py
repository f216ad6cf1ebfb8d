"""Everything that the primary holds besides rows: frozen values, and which of them matter in which order. Pure."""

import re
from dataclasses import dataclass, field

from replication.copy.accounts import Account
from replication.statements import name

# Their rows live in other tables or on other servers: only the definition is copied.
_ROWS_ELSEWHERE = frozenset(
    {"MRG_MYISAM", "MRG_ISAM", "FEDERATED", "CONNECT", "SPIDER", "BLACKHOLE", "S3", "OQGRAPH", "SPHINX", "MROONGA"}
)
WHOLE_NUMBERS = frozenset("tinyint smallint mediumint int bigint".split())
_AUTO_INCREMENT = re.compile(r" AUTO_INCREMENT=\d+")


def without_counter(create: str) -> str:
    """A table's definition without the number that it counts on from."""
    return _AUTO_INCREMENT.sub("", create)


@dataclass(frozen=True, slots=True)
class Column:
    """One column whose value has to be copied; `data_type` is information_schema's, in lower case."""

    name: str
    data_type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """One base table. `columns` leaves out the generated ones; `rows` and `row_length` in bytes are the server's
    estimates.
    """

    schema: str
    name: str
    engine: str
    columns: tuple[Column, ...]
    create: str = field(compare=False)
    transactional: bool = True
    versioned: bool = False
    rows: int = field(default=0, compare=False)
    row_length: int = field(default=0, compare=False)
    definition: str = field(init=False, default="")

    def __post_init__(self) -> None:
        # Counting on is no change of definition, and a busy primary does it all the time.
        object.__setattr__(self, "definition", without_counter(self.create))

    @property
    def full_name(self) -> str:
        return f"{name(self.schema)}.{name(self.name)}"

    @property
    def has_rows(self) -> bool:
        return self.engine.upper() not in _ROWS_ELSEWHERE

    @property
    def needs_lock(self) -> bool:
        """Whether a snapshot does not hold this table still, so that writers have to be kept out."""
        return self.has_rows and not self.transactional

    @property
    def select(self) -> str:
        """SELECT, past the writers who wait for a lock that we hold: tables of such engines let them go first."""
        return "SELECT HIGH_PRIORITY" if self.needs_lock else "SELECT"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A view, trigger, routine, package or event, as SHOW CREATE gives it, with the session it was made in.

    `sql` is in the character set `charset`; `database_collation` is empty where it plays no role.
    """

    kind: str
    schema: str
    name: str
    sql: bytes
    sql_mode: str = ""
    charset: str = "utf8mb4"
    collation: str = ""
    database_collation: str = ""
    time_zone: str = ""

    def __str__(self) -> str:
        return f"{self.kind.lower()} {name(self.schema)}.{name(self.name)}"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A MariaDB sequence: how to create it."""

    schema: str
    name: str
    create: str

    @property
    def full_name(self) -> str:
        return f"{name(self.schema)}.{name(self.name)}"


@dataclass(frozen=True, slots=True)
class Catalog:
    """All definitions of one server. Two catalogs are equal when no definition changed between them."""

    schemas: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    sequences: tuple[Sequence, ...]
    objects: tuple[StoredObject, ...]
    accounts: tuple[Account, ...]

    @property
    def rows(self) -> int:
        """The estimated number of rows in all tables."""
        return sum(table.rows for table in self.tables if table.has_rows)

    @property
    def bytes(self) -> int:
        """Their estimated size."""
        return sum(table.rows * table.row_length for table in self.tables if table.has_rows)
