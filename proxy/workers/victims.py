"""A worker's sessions that are killed by those of other workers."""

import asyncio

from proxy.session.shared.context import Context, Session
from proxy.wire.replies import Err
from proxy.workers.words import Found, Hit


class Victims:
    """The sessions of `context`, served by the worker in `slot`.

    A KILL that is under way condemns its session until it is over, or until the worker that it came from has ended:
    that is remembered as that worker's slot, and whether the KILL is of the connection.
    """

    def __init__(self, context: Context, slot: int) -> None:
        self._context = context
        self._slot = slot
        self._condemned: dict[int, list[tuple[int, bool]]] = {}

    def find(self, killer: int, number: int, connection: bool) -> Found | None:
        """The session that a client of the worker in slot `killer` means by `number`, condemned if it has a thread."""
        session = self._context.session(number)
        if session is None:
            return None
        thread = session.thread()
        if thread is not None:
            session.condemn(connection=connection)
            self._condemned.setdefault(session.number, []).append((killer, connection))
        named = None if thread is None else (thread[0].name, thread[1])
        return Found(self._slot, session.number, session.user, named)

    async def hit(self, hit: Hit) -> Found | Err | None:
        """Do to a session what `hit` says; for "summon" returns it as it is then, or why it cannot be killed."""
        session = self._context.session(hit.number)
        if session is None:
            self._condemned.pop(hit.number, None)
            return None
        if hit.verb == "summon":
            return await _summoned(session) or self.find(hit.killer, hit.number, hit.connection)
        if hit.verb == "pardon":
            self._pardon(session, hit)
        elif hit.verb == "interrupt":
            session.interrupt()
        else:
            self._condemned.pop(hit.number, None)
            session.close()
        return None

    def _pardon(self, session: Session, hit: Hit) -> None:
        kills = self._condemned.get(hit.number, [])
        if (hit.killer, hit.connection) in kills:
            kills.remove((hit.killer, hit.connection))
            session.pardon(struck=hit.struck, connection=hit.connection)
        if not kills:
            self._condemned.pop(hit.number, None)

    def forsaken(self, slot: int) -> None:
        """A worker has ended: whom its sessions were about to kill has nothing to fear from those any more."""
        for number, kills in list(self._condemned.items()):
            session = self._context.session(number)
            for _, connection in [kill for kill in kills if kill[0] == slot]:
                if session is not None:
                    session.pardon(struck=False, connection=connection)
            left = [kill for kill in kills if kill[0] != slot]
            if left and session is not None:
                self._condemned[number] = left
            else:
                del self._condemned[number]


async def _summoned(session: Session) -> Err | None:
    outcome: asyncio.Future[Err | None] = asyncio.get_running_loop().create_future()

    def done(err: Err | None) -> None:
        if not outcome.done():
            outcome.set_result(err)

    session.summon(done)
    return await outcome
