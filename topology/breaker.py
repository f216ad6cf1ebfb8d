"""A replica that answers its probes, but breaks whenever it is used, is used less and less. Pure.

Each break takes it out of use. The first one only until its probes are answered again; each further one for twice as
long as the one before, if it comes while the replica is on trial, or soon after.
"""

import math
from dataclasses import dataclass
from typing import Final

from topology.servers import Circuit

# In seconds: so long the second break in a row keeps a server out of use, and so long any does at most.
_SECOND: Final = 1.0
_LONGEST: Final = 60.0
# In seconds: a trial lasts as long as the time out of use before it, but so long at least.
_SHORTEST_TRIAL: Final = 5.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """That of one server. `breaks` is how often in a row it broke; it is open until `opens`, on trial until `closes`.

    Times are in seconds of one clock.
    """

    breaks: int = 0
    opens: float = -math.inf
    closes: float = -math.inf

    def broken(self, now: float) -> "Breaker":
        """A server that was in use has broken."""
        breaks = self.breaks + 1 if now < self.closes else 1
        seconds = min(_LONGEST, _SECOND * 2.0 ** min(breaks - 2, 10)) if breaks > 1 else 0.0
        return Breaker(breaks, now + seconds, now + seconds + max(_SHORTEST_TRIAL, seconds))

    def circuit(self, now: float) -> Circuit:
        """What it lets through. After one break that is as ever."""
        if self.breaks < 2 or now >= self.closes:
            return Circuit.CLOSED
        return Circuit.OPEN if now < self.opens else Circuit.HALF_OPEN

    def told(self, now: float) -> str:
        """The same for people; empty when it is closed."""
        circuit = self.circuit(now)
        if circuit is Circuit.CLOSED:
            return ""
        what = f"no reads for {self.opens - now:.0f} s" if circuit is Circuit.OPEN else "on trial with few reads"
        return f"broke {self.breaks} times in a row: {what}"
