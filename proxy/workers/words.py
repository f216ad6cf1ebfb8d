"""What a parent and its workers tell and ask each other, beside the `news` of the servers: values."""

from dataclasses import dataclass, field
from typing import Any

from proxy.accounts.directory import SecretKey
from proxy.wire.secret import Secret
from topology.config import Settings


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a worker begins with. It is the `life`-th in its slot, one of `slots`.

    `news` are what it was not there to be told: names and values. `key` is the RSA key, `certificate` that of this run
    with its own key, empty if none was made: PEM.
    """

    settings: Settings
    slot: int
    slots: int
    life: int
    news: list[tuple[str, Any]]
    key: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    secrets: dict[SecretKey, Secret] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Hit:
    """What a KILL does to a session of another worker: `verb` is a method of `proxy.session.shared.kills.Target`.

    `killer` is the slot of the worker that kills. `connection` and `struck` are what those methods say of them.
    """

    slot: int
    killer: int
    number: int
    verb: str
    connection: bool = False
    struck: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A session that may be killed: where, whose, and its thread's server and id, if it has one."""

    slot: int
    number: int
    user: str
    thread: tuple[str, int] | None
