"""What a session begins with, after a login as after a change of its user. Pure."""

from typing import Final

from proxy.routing.forms import Forms
from proxy.routing.rules import Rules
from proxy.routing.state import Baseline, SessionState
from proxy.session.core.machine import Machine
from proxy.session.core.memory import Memory
from proxy.session.core.statements import Limits
from proxy.sql.cache import StatementCache
from proxy.wire import constants as c
from proxy.wire.collations import charset_of
from topology.config import Settings
from topology.servers import Observation, Vendor

# A login tells one byte of a collation; COM_CHANGE_USER tells two, which no login on a replica could repeat.
_LARGEST_COLLATION_OF_LOGINS: Final = 255


def first_state(
    schema: str, collation_id: int, capabilities: int, primary: Observation, settings: Settings
) -> SessionState:
    """The state with what the client has asked for. Its status is to be that of the connection to the primary."""
    optimistic = settings.transaction_reads == "optimistic"
    state = SessionState(schema, 0, _baseline(collation_id, capabilities, primary), optimistic=optimistic)
    # A reset takes the client's character set from a connection to MySQL, and leaves it on MariaDB.
    told = primary.vendor is Vendor.MYSQL and charset_of(collation_id)
    state.repeatable.begin(schema, collation_id if told else 0)
    if collation_id > _LARGEST_COLLATION_OF_LOGINS:
        state.pin_down("character-set")
    return state


def _baseline(collation_id: int, capabilities: int, primary: Observation) -> Baseline:
    """What the server makes of a session by itself. A reset goes back to the client's character set on MariaDB, to the
    server's own on MySQL."""
    ignore_space = ",IGNORE_SPACE" if capabilities & c.CLIENT_IGNORE_SPACE else ""
    own = charset_of(primary.collation_id)
    charset = charset_of(collation_id) or own
    after_reset = charset if primary.vendor is Vendor.MARIADB else own
    return Baseline(primary.sql_mode + ignore_space, charset, after_reset, primary.isolation)


def new_machine(
    cache: StatementCache,
    state: SessionState,
    primary: Observation,
    settings: Settings,
    capabilities: int,
    rules: Rules | None,
    user: str,
    forms: Forms,
    memory: Memory,
) -> Machine:
    """The machine of a session of `user` that begins with `state`; `capabilities` are those agreed with the client."""
    limits = Limits(settings.statements_per_connection, settings.long_data_limit)
    vendor = primary.vendor or Vendor.MYSQL
    return Machine(cache, state, vendor, limits, capabilities, forms, rules=rules, user=user, memory=memory)
