"""The connection ids that clients are greeted with: unique among all workers of a proxy. Pure."""

from collections.abc import Iterator
from typing import Final

# Far above the ids that servers hand out, so that a KILL with a proxy's id cannot hit a stranger's server connection.
FIRST: Final = 1 << 30
_END: Final = 1 << 32
# A worker that takes another's place begins so many ids later: a late KILL shall not hit who came after its target.
_LIFE: Final = 1 << 20


def numbers(slot: int = 0, slots: int = 1, life: int = 0) -> Iterator[int]:
    """Those of the worker in `slot` of `slots`, the `life`-th there; they begin anew when all were given."""
    room = (_END - FIRST) // slots
    count = life * _LIFE
    while True:
        yield FIRST + (count % room) * slots + slot
        count += 1
