"""`python -m tests.fuzz.record`: what real servers of both vendors send, as inputs to begin with.

Every script of the protocol's table is played to them. The inputs go where those of former runs are, so that the next
`python -m tests.fuzz --keep` takes over what they add to the corpus.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Final

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from replication.sandbox import Cluster, Flavor
from tests.fuzz.inputs import pieces
from tests.fuzz.run import MAX_LENGTH, ROOT, WORK
from tests.fuzz.wire import LAYOUT_FLAGS, SHAPES
from tests.integration.protocol_cases import CONVERSATIONS, DIALECTS, TABLE, Dialect, Only
from tests.integration.protocol_schema import SCHEMA, SETUP
from tests.support.clients import direct, run
from tests.support.clusters import blank_cluster
from tests.support.recorder import Recorder, Script
from tests.support.wireclient import CAPABILITIES, Login, Packet, WireClient

Input = tuple[str, bytes]
# The rest of a long command is only more of the same.
_LONG_ENOUGH: Final = 400
_TEXTS: Final = ROOT / "tests" / "unit" / "proxy" / "sql"
# What stands before a statement in the files of texts: see the tests that read them.
_FIELDS: Final = {"reads.txt": 0, "others.txt": 4, "hunt.txt": 0}


class RecordingClient(WireClient):
    """Keeps all packets, in both directions."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.received: list[bytes] = []
        self.sent: list[bytes] = []
        self.replies: list[tuple[Reply, bytes]] = []

    def packet(self) -> Packet:
        """As the base class."""
        sequence, payload = super().packet()
        self.received.append(payload)
        return sequence, payload

    def send_bytes(self, data: bytes, pace: int = 0) -> None:
        """As the base class."""
        self.sent.append(data)
        super().send_bytes(data, pace)

    def reply(self, shape: Reply = Reply.RESULT) -> list[Packet]:
        """As the base class."""
        packets = super().reply(shape)
        self.replies.append((shape, b"".join(frame(payload, sequence) for sequence, payload in packets)))
        return packets


def main() -> None:
    """Write the inputs."""
    count = 0
    for target, data in _all():
        if len(data) <= MAX_LENGTH:
            directory = WORK / target / "found"
            directory.mkdir(parents=True, exist_ok=True)
            (directory / hashlib.sha1(data).hexdigest()).write_bytes(data)
            count += 1
    print(f"{count} inputs below {WORK}")


def _all() -> Iterator[Input]:
    for flavor in Flavor:
        with blank_cluster(flavor, readers=0) as cluster:
            _create_schema(cluster)
            for dialect in DIALECTS:
                for script in _scripts(flavor):
                    yield from _played(cluster, dialect, script)
    for name, field in _FIELDS.items():
        for line in (_TEXTS / name).read_text(encoding="utf-8").splitlines():
            text = line.split("|", field)[field].encode() if not line.startswith("=") else b""
            yield "lexer", text
            yield from (("classify", bytes((number,)) + text) for number in range(len(Flavor)))


def _create_schema(cluster: Cluster) -> None:
    with direct(cluster, cluster.servers[0]) as connection:
        run(connection, f"CREATE DATABASE {SCHEMA}")
        connection.select_db(SCHEMA)
        for statement in SETUP:
            run(connection, statement)


def _scripts(flavor: Flavor) -> Iterator[Script]:
    for entry in (*(entry for kinds in TABLE.values() for entry in kinds.values()), *CONVERSATIONS):
        if not isinstance(entry, Only):
            yield entry
        elif entry.vendor is flavor:
            yield entry.script


def _played(cluster: Cluster, dialect: Dialect, script: Script) -> Iterator[Input]:
    server = cluster.servers[0]
    how = Login(server.user, server.password, SCHEMA, CAPABILITIES | dialect.capabilities)
    with RecordingClient(server.host, server.port) as client:
        client.log_in(how)
        logged_in = len(client.sent)
        greeting, *answers = client.received
        with contextlib.suppress(ConnectionError):
            script(Recorder(client))
    yield from _login(greeting, answers, [data[c.HEADER_SIZE :] for data in client.sent[:logged_in]])
    layout = sum(1 << number for number, flag in enumerate(LAYOUT_FLAGS) if client.capabilities & flag)
    for shape, data in client.replies:
        yield "exchange", bytes((SHAPES.index(shape), layout, 7, 9)) + data
    commands = client.sent[logged_in:]
    yield "inbox", b"\x05" + b"".join(commands)
    bodies = [data[c.HEADER_SIZE :][:_LONG_ENOUGH] for data in commands]
    for vendor in range(len(Flavor)):
        yield "machine", bytes((vendor,)) + b"".join(pieces(body) + b"\x03" for body in bodies)
    for body in bodies:
        yield "lexer", body[1:]


def _login(greeting: bytes, answers: list[bytes], sent: list[bytes]) -> Iterator[Input]:
    yield "greeting", greeting
    yield "response", sent[0]
    for answer in answers:
        yield "replies", answer
        yield "auth_switch", answer
    for how in range(4):
        yield "client_login", bytes((how, how)) + pieces(*answers)
        yield "server_login", bytes((how, how)) + pieces(*sent)


if __name__ == "__main__":
    main()
