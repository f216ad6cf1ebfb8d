"""Which logins may be valid on a server."""

from replication.waiting import other_logins
from topology.environment import Deployment
from topology.servers import Role, Server


def test_the_others_logins_are_tried_the_primarys_first() -> None:
    primary = Server("dbwrite", "a", 1, Role.PRIMARY, "root", "one")
    replicas = (
        Server("dbread1", "b", 1, Role.REPLICA, "root", "two"),
        Server("dbread2", "c", 1, Role.REPLICA, "m", "one"),
    )
    found = other_logins(replicas[0], Deployment(primary, replicas))
    assert [(each.name, each.host, each.user, each.password) for each in found] == [
        ("dbread1", "b", "root", "one"),
        ("dbread1", "b", "m", "one"),
    ]
    same = Deployment(primary, (Server("dbread1", "b", 1, Role.REPLICA, "root", "one"),))
    assert other_logins(primary, same) == ()
