"""What the parts that run a session's requests have in common."""

from dataclasses import dataclass

from proxy.session.clientside import Client
from proxy.session.context import Context
from proxy.session.killer import Killer
from proxy.session.machine import Machine
from proxy.session.sentence import Sentence
from proxy.session.servers import Servers
from proxy.session.turn import Turn
from proxy.session.twin import Twin
from proxy.session.visibility import Visibility
from proxy.session.waiting import Waiting
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
