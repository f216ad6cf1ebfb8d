"""Who is primary, look by look."""

from dataclasses import replace

import pytest

from topology.primary import LOOKS, Seat, decide, doubt
from topology.servers import Member, Observation, ReplicaStatus, Trouble

DOWN = Observation(error="refused")
# Each letter is what is seen of a server: what it is to the server itself is in its name below.
OWN = {"w": "1", "a": "2", "b": "3"}


def seen(server: str, letter: str) -> Observation:
    """W accepts writes, R is read-only and follows nobody, D is down; a number is the identity that it follows.

    X accepts writes under another identity than the server had; F follows 1 and accepts writes all the same.
    """
    if letter == "D":
        return DOWN
    identity = "9" if letter == "X" else OWN[server]
    if letter in "WXR":
        return Observation(identity=identity, read_only=letter == "R")
    source = "1" if letter == "F" else letter
    status = ReplicaStatus(source, io_running=True, sql_running=True, lag_seconds=0)
    return Observation(identity=identity, read_only=letter != "F", replica=status)


def seats(w: str, a: str, b: str, tie: str = "") -> list[Seat]:
    """The seat after each round of looks at all three, of which the first is the configured primary."""
    looks: dict[str, list[Observation]] = {"w": [], "a": [], "b": []}
    seat, found = Seat("w"), []
    for letters in zip(w, a, b, strict=True):
        for server, letter in zip("wab", letters, strict=True):
            looks[server] = [*looks[server], seen(server, letter)][-LOOKS:]
            seat = decide(seat, looks, server, tie)
        found.append(seat)
    return found


@pytest.mark.parametrize(
    ("w", "a", "b", "primaries"),
    [
        ("WWWW", "1111", "1111", "wwww"),
        ("WDDD", "1111", "1111", "wwww"),  # away, and nobody else claims the place
        ("WDDDD", "11WWW", "11111", "wwwaa"),  # as soon as that was seen twice of both
        ("WRRR", "11WW", "1122", "wwwa"),  # a planned change
        ("WRR22", "11WWW", "11222", "wwwaa"),
        ("WWDWD", "11WWW", "11111", "wwwww"),  # it is still there now and then
        ("22", "WW", "22", "wa"),  # the proxy starts after a change
        ("DDD", "WWW", "222", "waa"),
        ("DDD", "WWW", "DDD", "www"),  # a server that accepts writes may be a blank one
        ("WWW", "WWW", "111", "www"),
        ("WDD", "1FF", "111", "www"),  # a replica that is not read-only is one all the same
        ("WDDDW", "11WWW", "11122", "wwwaa"),  # the old one comes back: that is no change
    ],
)
def test_another_address(w: str, a: str, b: str, primaries: str) -> None:
    assert "".join(seat.primary for seat in seats(w, a, b)) == primaries


@pytest.mark.parametrize(
    ("w", "a", "b", "rivals"),
    [
        ("WWWWW", "11WWW", "11111", [(), (), (), (), ("a",)]),  # the primary was looked at before the other
        ("WWWWRR", "11WWWW", "111111", [(), (), (), (), (), ()]),
        ("WWWWWRR", "11WWWWW", "1111111", [(), (), (), (), ("a",), ("a",), ()]),
        ("WDDDWW", "11WWWW", "111111", [(), (), (), (), (), ("w",)]),
        ("WDDDD", "11WWW", "11WWW", [(), (), (), (), ("b",)]),
        ("RDDDD", "1WWWW", "D1WWW", [(), (), (), (), ("b",)]),
        ("WWWWW", "11WWW", "11WWW", [(), (), (), (), ("a", "b")]),
        ("WWW", "WWW", "WWW", [(), (), ()]),  # readers that were never set up
    ],
)
def test_rivals(w: str, a: str, b: str, rivals: list[tuple[str, ...]]) -> None:
    assert [seat.rivals for seat in seats(w, a, b)] == rivals


def test_a_tie_is_broken_as_configured() -> None:
    assert [seat.primary for seat in seats("WDDDWWW", "11WWWWW", "1112222", tie="w")] == [*"wwwaaww"]
    assert [seat.rivals for seat in seats("WWWWW", "11WWW", "11111", tie="w")][-1] == ("a",)
    last = seats("WDDDD", "11WWW", "11WWW", tie="w")[-1]
    assert (last.primary, last.rivals) == ("a", ("b",))


def test_the_same_address() -> None:
    found = seats("WXXW", "1111", "1111")
    assert [seat.primary for seat in found] == ["w"] * 4
    assert [seat.identity for seat in found] == ["1", "1", "9", "9"]
    assert found[2].writable
    assert {"1", "2", "3"} <= found[2].heirs
    # What was the primary before, or followed it, can claim the place of the one that has it now.
    assert seats("WXXDDD", "1111WW", "111111")[-1].primary == "a"


def test_a_failed_look_between_makes_another_server_no_surer() -> None:
    assert [seat.identity for seat in seats("WXDX", "1111", "1111")] == ["1"] * 4


@pytest.mark.parametrize(
    ("w", "expected"),
    [
        ("W", ""),
        ("WD", ""),
        ("WR", "read-only"),
        ("RR", ""),
        ("WX", "another server"),
        ("WXX", ""),
        ("WXXR", "another server"),
    ],
)
def test_doubt(w: str, expected: str) -> None:
    looks: dict[str, list[Observation]] = {"w": []}
    assert doubt(Seat("w"), looks) == ""
    seat = Seat("w")
    for letter in w:
        looks["w"] = [*looks["w"], seen("w", letter)][-LOOKS:]
        seat = decide(seat, looks, "w")
    found = doubt(seat, looks)
    assert expected in found
    assert bool(found) == bool(expected)


GROUPED = {
    "W": Member("g", "Synced"),
    "R": Member("g", "ONLINE"),
    "d": Member("g", "Donor/Desynced", Trouble.DONOR),
    "n": Member("g", "non-Primary", Trouble.NO_QUORUM),
    "o": Member("g", "OFFLINE", Trouble.OFFLINE),
    "x": Member("other", "Synced"),
    "s": None,
}


def in_group(w: str, a: str, b: str, tie: str = "") -> list[Seat]:
    """As `seats` has it, for members of a group: R is read-only, D down, S stands alone, all others are writable."""
    looks: dict[str, list[Observation]] = {"w": [], "a": [], "b": []}
    seat, found = Seat("w"), []
    for letters in zip(w, a, b, strict=True):
        for server, letter in zip("wab", letters, strict=True):
            # The nodes of a Galera cluster have the same server_id.
            whole = Observation(identity="1", read_only=letter == "R", member=GROUPED.get(letter))
            looks[server] = [*looks[server], DOWN if letter == "D" else whole][-LOOKS:]
            seat = decide(seat, looks, server, tie)
        found.append(seat)
    return found


@pytest.mark.parametrize(
    ("w", "a", "b", "primaries"),
    [
        ("WWW", "WWW", "WWW", "www"),  # all take writes, one gets them
        ("WDDD", "WWWW", "WWWW", "wwaa"),
        ("WDDD", "WDDD", "WWWW", "wwbb"),
        ("WnnnWW", "WWWWWW", "WWWWWW", "wwaaaa"),  # cut off, and back: that is no change
        ("WWdd", "WWWW", "WWWW", "wwww"),  # it gives its data to another one
        ("WDDD", "Wddd", "WWWW", "wwaa"),
        ("Wnnn", "Wnnn", "Wnnn", "wwww"),  # nobody has a majority
        ("WRRR", "RRWW", "RRRR", "wwwa"),  # of a group with one primary another one was elected
        ("WDDoo", "RRWWW", "RRRRR", "wwwaa"),  # started again, and not in the group
        ("ooo", "ooo", "ooo", "www"),  # no group was ever seen
        ("WDDD", "xxxx", "DDDD", "wwww"),
        ("Wsss", "RRWW", "RRRR", "wwwa"),
    ],
)
def test_a_member_takes_over(w: str, a: str, b: str, primaries: str) -> None:
    found = in_group(w, a, b)
    assert "".join(seat.primary for seat in found) == primaries
    assert [seat.rivals for seat in found] == [()] * len(found)


def test_of_several_members_the_configured_one_takes_over() -> None:
    assert in_group("WDD", "WWW", "WWW", tie="b")[-1].primary == "b"


@pytest.mark.parametrize(
    ("letter", "doubtful"), [("W", False), ("d", False), ("n", True), ("o", True), ("s", True), ("D", False)]
)
def test_nothing_is_begun_on_a_member_that_has_left(letter: str, doubtful: bool) -> None:
    whole = Observation(identity="1", member=GROUPED["W"])
    looks = {"w": [whole]}
    seat = decide(Seat("w"), looks, "w")
    looks["w"].append(DOWN if letter == "D" else replace(whole, member=GROUPED[letter]))
    assert bool(doubt(decide(seat, looks, "w"), looks)) is doubtful
