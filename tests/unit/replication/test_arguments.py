"""Addresses as the commands' options take them."""

import pytest

from replication.arguments import host_and_port
from topology.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("db", ("db", 3306)),
        ("10.0.0.1:3307", ("10.0.0.1", 3307)),
        ("[::1]", ("::1", 3306)),
        ("[2001:db8::1]:3307", ("2001:db8::1", 3307)),
    ],
)
def test_a_port_may_be_missing_and_brackets_are_of_the_address(value: str, expected: tuple[str, int]) -> None:
    assert host_and_port("--primary-address", value) == expected


@pytest.mark.parametrize("value", ["", ":3306", "::1", "db:x", "db:65536", "user@db:3306", "db:3306/app", "[::1:3306"])
def test_what_is_no_address_is_refused_by_its_option(value: str) -> None:
    with pytest.raises(ConfigError, match=r"--primary-address .* is no address") as caught:
        host_and_port("--primary-address", value)
    assert "HOST:PORT" in caught.value.remedy
