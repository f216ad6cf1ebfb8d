"""Errors in numbers that MariaDB's C connector does not take for its own."""

import pytest

from proxy.session.core.understood import understood
from proxy.wire.primitives import lenenc_bytes
from proxy.wire.replies import Err


def named(library: bytes) -> bytes:
    return lenenc_bytes(b"_client_name") + lenenc_bytes(library)


@pytest.mark.parametrize(("errno", "told"), [(2013, 1927), (2003, 1053), (2001, 1053), (2061, 1053)])
def test_a_library_that_refuses_its_own_numbers_is_told_another(errno: int, told: int) -> None:
    assert understood(Err(errno, "lost"), named(b"libmariadb")) == Err(told, "lost", "08S01")


@pytest.mark.parametrize("errno", [1213, 2000, 2062, 3024])
def test_all_others_are_passed_on(errno: int) -> None:
    assert understood(Err(errno, "no"), named(b"libmariadb")) == Err(errno, "no")


@pytest.mark.parametrize("attributes", [b"", named(b"libmysql"), named(b"pymysql"), b"\xff"])
def test_other_clients_have_the_number_that_their_lists_know(attributes: bytes) -> None:
    assert understood(Err(2013, "lost"), attributes) == Err(2013, "lost")
