"""For how long statements may run, and what servers are told of it."""

from typing import cast

import pytest

from proxy.backend.login import Identity
from proxy.session.context import Context
from proxy.session.deadline import Deadline
from proxy.session.sentence import Sentence
from proxy.session.turn import Turn
from tests.support.machines import Session, query
from topology.config import Settings
from topology.servers import Health, Observation, Role, Server, ServerState, Snapshot, Vendor


class Monitor:
    """Knows the primary."""

    def __init__(self, vendor: Vendor | None) -> None:
        seen = None if vendor is None else Observation(vendor=vendor)
        server = Server("dbwrite", "h", 1, Role.PRIMARY)
        self.snapshot = Snapshot(ServerState(server, Health.HEALTHY, observation=seen), ())


class Shared:
    """What a session's deadline wants of its context."""

    def __init__(self, settings: Settings, vendor: Vendor | None) -> None:
        self.settings, self.monitor = settings, Monitor(vendor)


class User:
    user = "app"


def deadline(vendor: Vendor | None, **settings: object) -> Deadline:
    shared = cast(Context, Shared(Settings.model_validate(settings), vendor))
    return Deadline(shared, cast(Identity, User()), Turn(), Sentence(), lambda link: None)


@pytest.mark.parametrize(
    ("vendor", "settings", "told"),
    [
        (Vendor.MARIADB, {}, None),
        (Vendor.MARIADB, {"statement_timeout": 2.5}, ("max_statement_time", "2.500000")),
        (Vendor.MYSQL, {"statement_timeout": 2.5}, ("max_execution_time", "2500")),
        (Vendor.MYSQL, {"statement_timeout": 0.0001}, ("max_execution_time", "1")),
        (Vendor.MYSQL, {"statement_timeout": 2, "user_statement_timeouts": ["app=0"]}, None),
        (Vendor.MYSQL, {"user_statement_timeouts": ["other=1", "app=3.5"]}, ("max_execution_time", "3500")),
        (None, {"statement_timeout": 2.5}, None),
    ],
)
def test_what_servers_are_told(
    vendor: Vendor | None, settings: dict[str, object], told: tuple[str, str] | None
) -> None:
    setting = deadline(vendor, **settings).setting
    assert (None if setting is None else (setting.name, setting.value)) == told


@pytest.mark.parametrize(("seconds", "rule", "limit"), [(0, 0, 0), (2, 0, 2), (0, 3, 3), (2, 3, 2), (4, 3, 3)])
def test_the_shorter_time_counts(seconds: float, rule: float, limit: float) -> None:
    request = Session().request(query("SELECT 1"))
    request.limit = rule
    assert deadline(Vendor.MYSQL, statement_timeout=seconds).limit_of(request) == limit
