"""Replicas that are drained, and that come back."""

from dataclasses import replace

from topology.duty import Duty
from topology.servers import Circuit, Health, Role, Server, ServerState
from topology.shares import Shares

FIT = ServerState(Server("a", "h", 1, Role.REPLICA), Health.HEALTHY)


def test_an_operators_weight_counts_until_the_settings_have_others() -> None:
    duty = Duty(Shares({"a": 2, "b": 5}))
    duty.weigh("a", 7)
    assert duty.state(FIT, 0.0).share == 70
    duty.heed(Shares({"a": 2, "b": 5}, slow_start=3.0))
    assert duty.state(FIT, 0.0).share == 70
    assert duty.shares == Shares({"a": 7, "b": 5}, slow_start=3.0)
    duty.heed(Shares({"a": 2}))
    assert duty.shares == Shares({"a": 2})
    assert duty.state(FIT, 0.0).share == 20


def test_a_drained_replica_is_out_of_use_until_it_is_put_back() -> None:
    duty = Duty(Shares())
    assert duty.drain("a")
    assert not duty.drain("a")
    assert duty.state(FIT, 0.0).health is Health.DRAINING
    assert duty.resume("a", 1.0)
    assert not duty.resume("a", 1.0)
    assert duty.state(FIT, 1.0).usable


def test_who_comes_back_begins_slowly() -> None:
    duty = Duty(Shares(slow_start=10.0))
    assert duty.state(FIT, 5.0).share == 10
    duty.returned("a", 5.0)
    assert [duty.state(FIT, at).share for at in (5.0, 10.0, 15.0)] == [1, 5, 10]
    duty.drain("a")
    duty.resume("a", 20.0)
    assert duty.state(FIT, 21.0).share == 1


def test_who_is_on_trial_gets_the_least() -> None:
    for slow_start in (0.0, 10.0):
        duty = Duty(Shares({"a": 3}, slow_start))
        assert duty.state(replace(FIT, circuit=Circuit.HALF_OPEN), 99.0).share == 3
        assert duty.state(FIT, 99.0).share == 30


def test_a_name_that_is_given_up_means_nothing_any_more() -> None:
    duty = Duty(Shares(slow_start=10.0))
    duty.drain("a")
    duty.forget("a")
    assert duty.state(FIT, 0.0).share == 10
