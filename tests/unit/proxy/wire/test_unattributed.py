"""Commands lose their query attributes, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.commands import closing
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import frame
from proxy.wire.unattributed import Unattributed

NUMBER = b"\7\0\0\0"
ONE_ITERATION = b"\1\0\0\0"
ATTRIBUTE = b"\1\1\0\1\xfd\0\5trace\3abc"


def execution(flags: int, rest: bytes = b"") -> bytes:
    return frame(b"\x17" + NUMBER + bytes((flags,)) + ONE_ITERATION + rest, 0)


def following(parameters: int) -> Unattributed:
    commands = Unattributed()
    commands.prepared(7, parameters)
    return commands


@pytest.mark.parametrize("attributes", [b"\0\1", ATTRIBUTE])
def test_a_query_is_its_text(attributes: bytes) -> None:
    assert Unattributed().translated(frame(b"\3" + attributes + b"SELECT 1", 0)) == frame(b"\3SELECT 1", 0)


def test_an_execution_keeps_the_statements_own_parameters() -> None:
    commands = following(2)
    told = b"\2\2" + b"\1" + b"\3\0\0" + b"\xfd\0\1n" + b"abcd"
    wanted = b"\2" + b"\1" + b"\3\0\xfd\0" + b"abcd"
    assert commands.translated(execution(9, told)) == execution(1, wanted)
    assert commands.translated(execution(0, b"\2\2\0abcd")) == execution(0, b"\2\0abcd")
    with_attribute = b"\3\2" + b"\1" + b"\3\0\0" + b"\3\0\0" + b"\xfd\0\5trace" + b"abcd" + b"\1x"
    assert commands.translated(execution(8, with_attribute)) == execution(0, b"\2\1\3\0\3\0abcd\1x")


def test_an_execution_without_parameters_has_nothing_behind_its_head() -> None:
    for rest in (b"", b"\0", b"\1\0\1\xfd\0\1n\3abc"):
        assert following(0).translated(execution(8, rest)) == execution(0)
        assert Unattributed().translated(execution(8, rest)) == execution(0)


def test_other_commands_pass_among_them() -> None:
    commands = following(1)
    several = closing(9) + frame(b"\x18" + NUMBER + b"\0\0long", 0) + execution(0, b"\1\0\0abcd") + frame(b"", 1)
    assert commands.translated(several) == several.replace(execution(0, b"\1\0\0abcd"), execution(0, b"\0\0abcd"))
    for ending in (closing(7), frame(b"\x1f", 0)):
        commands = following(1)
        assert commands.translated(ending) == ending
        assert commands.translated(execution(8, b"\1\0\0abcd")) == execution(0)


@given(st.binary(max_size=40), st.integers(0, 9))
def test_any_bytes_are_translated_or_malformed(rest: bytes, parameters: int) -> None:
    for head in (b"\3", b"\x17", b"\x17" + NUMBER + b"\x08" + ONE_ITERATION):
        try:
            following(parameters).translated(frame(head + rest, 0))
        except MalformedPacket:
            continue
