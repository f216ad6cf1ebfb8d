"""Who has to wait after failed logins, for how long, and what is remembered of whom."""

import pytest

from proxy.accounts.failures import Failures

HOST = "10.0.0.1"


def failed(failures: Failures, times: int, user: str = "app", address: str = HOST, now: float = 0.0) -> float:
    for _ in range(times):
        failures.failed(address, user, now)
    return failures.rest(address, user, now)


def test_the_first_few_are_free_and_each_further_one_costs_twice_as_much() -> None:
    failures = Failures(3)
    assert [failed(failures, 1) for _ in range(12)] == [0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300, 300]


def test_the_time_passes() -> None:
    failures = Failures(1)
    assert failed(failures, 3, now=100.0) == 20
    assert failures.rest(HOST, "app", 119.0) == 1
    assert failures.rest(HOST, "app", 120.0) == 0
    assert failed(failures, 1, now=120.0) == 40


def test_they_are_forgotten_after_a_quarter_of_an_hour() -> None:
    failures = Failures(2)
    failed(failures, 5)
    assert failed(failures, 1, now=899.0) == 80
    assert failed(failures, 1, now=1800.0) == 0


def test_a_right_password_clears_that_user_and_no_other() -> None:
    failures = Failures(2)
    failed(failures, 2)
    failed(failures, 2, "other")
    failures.succeeded(HOST, "app")
    assert failures.rest(HOST, "app", 0) == 0
    assert failures.rest(HOST, "other", 0) == 5


def test_other_users_and_addresses_are_let_in() -> None:
    failures = Failures(2)
    failed(failures, 2)
    assert failures.rest(HOST, "other", 0) == 0
    assert failures.rest("10.0.0.2", "app", 0) == 0


def test_who_tries_many_users_is_shut_out_with_his_address() -> None:
    failures = Failures(2)
    for number in range(20):
        failures.succeeded(HOST, "own account")
        failures.failed(HOST, f"user{number}", 0)
    assert failures.rest_of_address(HOST, 0) == 5
    assert failures.rest(HOST, "app", 0) == 5
    assert failures.rest_of_address("10.0.0.2", 0) == 0


@pytest.mark.parametrize(
    ("other", "same"),
    [("2001:db8::ffff:1", True), ("2001:db8:0:1::1", False), ("::ffff:10.0.0.1", False)],
)
def test_a_client_has_a_whole_network_of_ipv6(other: str, same: bool) -> None:
    failures = Failures(1)
    failed(failures, 1, address="2001:db8::1")
    assert bool(failures.rest(other, "app", 0)) is same


def test_an_address_is_the_same_written_as_one_of_ipv6_and_may_be_missing() -> None:
    failures = Failures(1)
    failed(failures, 1)
    assert failures.rest("::ffff:10.0.0.1", "app", 0) == 5
    assert failed(failures, 1, address="") == 5


def test_nothing_is_counted_without_a_limit() -> None:
    failures = Failures(0)
    assert failed(failures, 1000) == 0
    assert failures.remembered == 0


def test_what_is_remembered_is_bounded_and_the_latest_stay() -> None:
    failures = Failures(1)
    for number in range(25_000):
        failures.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "app", 0)
    assert failures.remembered == 20_000
    assert failures.rest("10.0.97.167", "app", 0) == 5
    assert failures.rest("10.0.0.1", "app", 0) == 0
