"""What a parent and its workers say to each other."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.workers.messages import LONGEST, Deframer, Malformed, Message, Sort, encode

VALUES = st.none() | st.integers() | st.text() | st.lists(st.text(), max_size=3)
MESSAGES = st.builds(Message, st.sampled_from(list(Sort)), st.integers(0, 2**32 - 1), st.text(), VALUES)


@given(st.lists(MESSAGES, max_size=5), st.integers(1, 50))
def test_messages_come_as_they_were_sent_however_they_are_cut(messages: list[Message], size: int) -> None:
    data, deframer, found = b"".join(map(encode, messages)), Deframer(), []
    for at in range(0, len(data), size):
        found += deframer.feed(data[at : at + size])
    assert found == messages


def test_another_release_is_not_understood() -> None:
    data = bytearray(encode(Message(Sort.TELLS, 0, "name", None)))
    data[9] ^= 1
    with pytest.raises(Malformed):
        Deframer().feed(bytes(data))


def test_a_message_that_is_too_long_is_none() -> None:
    data = encode(Message(Sort.TELLS, 0, "name", None))
    with pytest.raises(Malformed):
        Deframer().feed(struct.pack("<I", LONGEST + 1) + data[4:])


def test_what_is_no_sort_is_no_message() -> None:
    data = encode(Message(Sort.TELLS, 0, "name", None))
    with pytest.raises(Malformed):
        Deframer().feed(data[:4] + b"\x09" + data[5:])
