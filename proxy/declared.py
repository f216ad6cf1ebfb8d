"""Has reads that call stored functions leave the primary where the functions' definitions say that they only read."""

import asyncio
import logging
from typing import Final

from proxy.session.shared.context import Context
from proxy.sql.classify import Classifier
from topology.errors import ServerError
from topology.routines import declared_readers

log = logging.getLogger(__name__)

# In seconds; functions may be defined past the proxy.
_EVERY: Final = 30.0
# As long as no server has told its version, or the primary does not answer.
_SOON: Final = 0.5


class Declared:
    """Asks the primary again and again, for one process, as `trust_sql_data_access` wants it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: frozenset[str] = frozenset()

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            known = self._context.cache is not None and await self.learn()
            await asyncio.sleep(_EVERY if known else _SOON)

    async def learn(self) -> bool:
        """Ask once; whether there was an answer."""
        context, server = self._context, self._context.monitor.snapshot.primary.server
        try:
            found = await declared_readers(server, context.settings.probe_timeout)
        except (ServerError, TimeoutError) as error:
            log.debug("cannot ask %s for its functions: %s", server, error)
            return False
        if found != self._known:
            self._known = found
            self._go_by(found)
        return True

    def _go_by(self, found: frozenset[str]) -> None:
        cache = self._context.cache
        assert cache is not None
        cache.go_by(Classifier(cache.server, {*self._context.settings.read_functions, *found}))
        log.info("%d stored functions are declared to read at most, and count as such", len(found))
