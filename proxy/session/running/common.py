"""What the parts that run a session's requests have in common."""

from dataclasses import dataclass

from proxy.session.core.machine import Machine
from proxy.session.core.sentence import Sentence
from proxy.session.running.killer import Killer
from proxy.session.running.servers import Servers
from proxy.session.running.turn import Turn
from proxy.session.running.twin import Twin
from proxy.session.running.visibility import Visibility
from proxy.session.running.waiting import Waiting
from proxy.session.shared.clientside import Client
from proxy.session.shared.context import Context
from proxy.wire.capabilities import Layout


@dataclass(frozen=True, slots=True)
class Common:
    """One session's. `name` is the client's, for the log; `layout` is how its replies are laid out."""

    context: Context
    client: Client
    name: str
    layout: Layout
    machine: Machine
    servers: Servers
    turn: Turn
    twin: Twin
    sentence: Sentence
    killer: Killer
    waiting: Waiting
    visibility: Visibility
