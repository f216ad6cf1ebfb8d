"""Addresses that people and programs write."""

import pytest

from topology.addresses import endpoint, host_and_port


@pytest.mark.parametrize(
    ("host", "port", "written"), [("db", 3306, "db:3306"), ("127.0.0.1", 1, "127.0.0.1:1"), ("::1", 6033, "[::1]:6033")]
)
def test_what_is_written_is_read_as_it_was(host: str, port: int, written: str) -> None:
    assert endpoint(host, port) == written
    assert host_and_port(written) == (host, port)
