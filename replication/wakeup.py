"""Events run on the primary only: letting them sleep on the old one and wake up on the new one."""

from dataclasses import dataclass

from replication.facts import ServerFacts
from replication.statements import SYSTEM_SCHEMAS, name, text
from topology.servers import Server
from topology.sqlclient import Row, SqlClient, connected

_SYSTEM = ", ".join(text(schema) for schema in sorted(SYSTEM_SCHEMAS))
_ENABLED = (
    "SELECT EVENT_SCHEMA AS db, EVENT_NAME AS event, DEFINER AS definer, CHARACTER_SET_CLIENT AS charset, "
    "COLLATION_CONNECTION AS collation FROM information_schema.EVENTS "
    f"WHERE STATUS = 'ENABLED' AND EVENT_SCHEMA NOT IN ({_SYSTEM})"
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event: the settings of its session, and the statement in their character set that wakes it up."""

    settings: str
    statement: bytes


@dataclass(frozen=True, slots=True)
class Awake:
    """What has to run on whoever is the primary: the scheduler, and these events with a session's settings for each."""

    scheduler: bool = False
    events: tuple[Event, ...] = ()


async def put_to_sleep(client: SqlClient, primary: ServerFacts) -> Awake:
    """Stop the scheduler of a primary that is about to be none, and tell what ran there."""
    events = tuple([await _enabling(client, row) for row in await client.query(_ENABLED)])
    scheduler = primary.on("event_scheduler")
    if scheduler:
        await client.execute("SET GLOBAL event_scheduler = OFF")
    return Awake(scheduler, events)


async def _enabling(client: SqlClient, row: Row) -> Event:
    # An ALTER EVENT gives the event its own session's character set, and its user as the definer if none is named.
    settings = (
        f"SET SESSION character_set_client = {text(row['charset'])}, collation_connection = {text(row['collation'])}"
    )
    user, _, host = str(row["definer"]).rpartition("@")
    event = f"{name(row['db'])}.{name(row['event'])}"
    statement = f"ALTER DEFINER = {text(user)}@{text(host)} EVENT {event} ENABLE"
    encoded = await client.raw(f"SELECT CAST(CONVERT({text(statement)} USING {row['charset']}) AS BINARY)")
    return Event(settings, encoded[0][0] or b"")


async def wake_up(client: SqlClient, awake: Awake) -> None:
    """Let the events run here. Replicas get that too, and take it as an order to leave them asleep."""
    for event in awake.events:
        await client.execute(event.settings)
        await client.execute(event.statement)
    await client.execute("SET NAMES utf8mb4")
    if awake.scheduler:
        await client.execute("SET GLOBAL event_scheduler = ON")


async def restore_scheduler(server: Server, awake: Awake) -> None:
    """Switch on what `put_to_sleep` switched off, when the events sleep."""
    if awake.scheduler:
        async with connected(server) as client:
            await client.execute("SET GLOBAL event_scheduler = ON")
