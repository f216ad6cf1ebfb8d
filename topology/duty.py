"""Which replicas are on duty, and for how much: taken out of use by an operator, or just come back. Pure."""

import math
from dataclasses import replace

from topology.health import drained
from topology.servers import Circuit, ServerState
from topology.shares import Shares


class Duty:
    """That of one deployment's replicas, by name. Times are in seconds of one clock."""

    def __init__(self, shares: Shares) -> None:
        self._set = self._shares = shares
        self._drained: set[str] = set()
        self._returned: dict[str, float] = {}

    @property
    def shares(self) -> Shares:
        """As they are set, and changed by an operator since."""
        return self._shares

    def heed(self, shares: Shares) -> None:
        """The settings are read: other weights in them count in the place of those that an operator gave."""
        orders = {} if shares.weights != self._set.weights else self._shares.weights
        self._set, self._shares = shares, replace(shares, weights={**shares.weights, **orders})

    def weigh(self, name: str, weight: int) -> None:
        """An operator gives it another weight."""
        self._shares = replace(self._shares, weights={**self._shares.weights, name: weight})

    def drain(self, name: str) -> bool:
        """An operator takes it out of use; False if it was."""
        known = name in self._drained
        self._drained.add(name)
        return not known

    def resume(self, name: str, now: float) -> bool:
        """An operator puts it back; False if it was in use."""
        if name not in self._drained:
            return False
        self._drained.remove(name)
        self.returned(name, now)
        return True

    def returned(self, name: str, now: float) -> None:
        """It can be used again, and begins slowly."""
        self._returned[name] = now

    def forget(self, name: str) -> None:
        """There is no replica of that name any more."""
        self._drained.discard(name)
        self._returned.pop(name, None)

    def state(self, judged: ServerState, now: float) -> ServerState:
        """The state of a replica with what follows from all this."""
        name = judged.server.name
        judged = replace(judged, weight=self._shares.weight(name))
        if name in self._drained:
            return drained(judged)
        if judged.circuit is Circuit.HALF_OPEN:
            return replace(judged, share=self.shares.least(name))
        return replace(judged, share=self.shares.of(name, now - self._returned.get(name, -math.inf)))
