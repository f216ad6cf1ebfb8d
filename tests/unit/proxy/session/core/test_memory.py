"""What is held for clients, and when that is too much."""

from proxy.session.core.inbox import Inbox
from proxy.session.core.memory import Holdings, Memory
from proxy.session.core.seenreads import SeenReads
from tests.support.machines import Session, query


class Client:
    """A session: its transport, and whether a server is at work for it."""

    def __init__(self, memory: Memory) -> None:
        self.buffered = 0
        self.working = False
        self.parted = False
        self.inbox = Inbox()
        self.holdings = Holdings(memory, self.inbox, self, lambda: self.working, self._part)

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def _part(self) -> None:
        self.parted = True
        self.holdings.end()


def test_all_that_a_session_holds_is_counted() -> None:
    memory = Memory(1000)
    client, other = Client(memory), Client(memory)
    client.inbox.add(b"x" * 100)
    client.holdings.command, client.buffered, other.buffered = 200, 300, 399
    for one in (client, other):
        one.holdings.weigh()
    assert (memory.held, memory.full) == (999, False)
    other.buffered += 1
    other.holdings.weigh()
    assert (memory.held, memory.full) == (1000, True)
    client.holdings.over()
    assert (memory.held, memory.full) == (800, False)
    client.holdings.end()
    client.holdings.end()
    assert memory.held == 400
    # What a client has taken meanwhile shows at the next look.
    other.buffered = 0
    memory.look(1.0)
    assert (memory.held, len(memory.holdings)) == (0, 0)


def test_without_a_limit_it_is_never_full() -> None:
    memory = Memory()
    memory.take(1 << 40)
    found = []
    for limit in (0, 1 << 40, (1 << 40) + 1):
        memory.limit = limit
        found.append(memory.full)
    assert found == [False, True, False]


def test_what_is_refused_is_counted_and_says_why() -> None:
    memory = Memory(10)
    memory.take(11)
    err = memory.refused("login")
    assert (err.errno, err.message) == (
        1041,
        "Out of memory: the proxy holds 11 bytes for its clients already (memory_limit)",
    )
    assert memory.shed == {"login": 1}


def test_clients_that_take_nothing_are_parted_from_while_the_memory_is_needed() -> None:
    memory = Memory(1000)
    stuck, slow, waiting = Client(memory), Client(memory), Client(memory)
    waiting.working = True
    for one in (stuck, slow, waiting):
        one.buffered = 300
        one.holdings.weigh()
    for at in (0.0, 100.0, 200.0):
        memory.look(at)
    assert (memory.full, stuck.parted) == (False, False)
    memory.take(200)
    for at in range(300, 361, 10):
        slow.buffered -= 1
        memory.look(float(at))
        assert stuck.parted == (at == 360)
    assert (slow.parted, waiting.parted, memory.shed) == (False, False, {"client": 1})
    assert memory.held == 200 + slow.buffered + 300


def test_reads_are_not_kept_to_be_repeated_while_it_is_full() -> None:
    memory, session = Memory(1000), Session()
    seen, request = SeenReads(memory, caches=False), session.request(query("SELECT 1"))
    assert seen.repeatable(request, 1)
    seen.keep(request, 1, (1, 1), request.route)
    assert memory.held == len(request.packet)
    memory.take(1000)
    assert not seen.repeatable(request, 1)
    seen.end()
    assert memory.held == 1000
