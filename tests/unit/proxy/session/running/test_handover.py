"""Questions to a connection before it goes, with a connection that does not answer."""

import asyncio
from typing import cast

from proxy.backend.connection import BackendConnection, Owner
from proxy.session.running.handover import Handover
from proxy.wire.clientlogin import Safety
from topology.servers import Role, Server


class Session:
    """Who has the connection."""

    def __init__(self) -> None:
        self.broken: list[str] = []

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        self.broken.append(reason)


def test_a_connection_that_does_not_answer_is_given_up() -> None:
    async def test() -> None:
        server, session = Server("dbwrite", "a", 1, Role.PRIMARY), Session()
        link = BackendConnection(server, 7, 0, Safety(private=True), 2, cast(Owner, session))
        ends = asyncio.Queue[list[bytes] | None]()
        Handover(cast(Owner, session), link, lambda _: b"\1\0\0\0\x0e", ends.put_nowait, 0.01).start()
        assert not link.at_rest
        assert await ends.get() is None
        assert session.broken == ["no answer within 0.01 s"]
        await asyncio.sleep(0.02)
        assert ends.empty()

    asyncio.run(test())


def test_one_that_has_nothing_to_tell_is_not_given_up_later() -> None:
    async def test() -> None:
        server, session = Server("dbwrite", "a", 1, Role.PRIMARY), Session()
        link = BackendConnection(server, 7, 0, Safety(private=True), 2, cast(Owner, session))
        ends = asyncio.Queue[list[bytes] | None]()
        Handover(cast(Owner, session), link, lambda _: None, ends.put_nowait, 0.01).start()
        assert ends.get_nowait() == []
        await asyncio.sleep(0.02)
        assert session.broken == []

    asyncio.run(test())
