"""Who is the primary? A pure decision over several looks at all servers, never over a single one.

The primary changes in two ways. Another configured server has become writable, follows nobody, and the one before is
down, read-only or its replica. Or another server answers at the same address: then its identity is another one.

In a Galera cluster or a Group Replication group others may be writable too; that is no change as long as the primary is
fit. Is it not any more, then one of those that are writable takes over: the group itself sees to it that only the part
with most members accepts writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from topology.servers import Observation, Trouble

# So many looks in a row have to agree.
LOOKS: Final = 2

# The last observations of each server by its name, the newest last, LOOKS of them at most.
Looks: TypeAlias = Mapping[str, Sequence[Observation]]


@dataclass(frozen=True, slots=True)
class Seat:
    """Who has the primary's place: `primary` is the name of a server, `identity` what it was seen to be there.

    `writable` tells that it was seen to accept writes. `heirs` are the identities of those that were seen to follow it,
    or had the place before. `claims` are the names of other servers that accept writes and claim the place, `rivals`
    those of them that do so beside another one that still accepts writes. `group` is what it is a member of.
    """

    primary: str
    identity: str = ""
    writable: bool = False
    heirs: frozenset[str] = frozenset()
    claims: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    group: str = ""


def decide(seat: Seat, looks: Looks, looked: str, tie: str = "") -> Seat:
    """The seat after one more look, at `looked`. Of several that claim it `tie` gets it, if that is one of them."""
    seat = _known(seat, looks)
    left = _has_left(looks[seat.primary], seat.group)
    claims = _claimants(seat, looks, tie, left=left)
    if tie in claims or (left and len(claims) == 1):
        heir = tie if tie in claims else claims[0]
        return _handed_over(seat, heir, looks, claims if left else (seat.primary, *claims))
    return replace(seat, claims=claims, rivals=_rivals(seat, claims, looks, looked))


def _claimants(seat: Seat, looks: Looks, tie: str, *, left: bool) -> tuple[str, ...]:
    """The names of the servers that claim the place: of the primary's own group one, and that only if it has left."""
    others = [name for name in looks if name != seat.primary]
    peers = [name for name in others if _is_fit_peer(seat, looks[name])]
    chosen = next((name for name in peers if name == tie), next(iter(peers), "")) if left else ""
    return tuple(
        name
        for name in others
        if name == chosen or (not _is_peer(seat, looks[name]) and _claims(seat, name, looks[name], looks))
    )


def _is_peer(seat: Seat, seen: Sequence[Observation]) -> bool:
    member = seen[-1].member if seen else None
    return member is not None and bool(seat.group) and member.group == seat.group


def _is_fit_peer(seat: Seat, seen: Sequence[Observation]) -> bool:
    fit = len(seen) == LOOKS and _is_peer(seat, seen)
    return fit and all(_is_free(look) and _takes_part(look, seat.group) for look in seen)


def _rivals(seat: Seat, claims: tuple[str, ...], looks: Looks, looked: str) -> tuple[str, ...]:
    """The claims that are known to be too many: what was seen of the primary before them says nothing."""
    seen = looks[seat.primary]
    confirmed = looked == seat.primary and bool(seen) and _is_free(seen[-1])
    if confirmed or (_has_left(seen, seat.group) and len(claims) > 1):
        return claims
    return tuple(name for name in claims if name in seat.rivals)


def doubt(seat: Seat, looks: Looks) -> str:
    """Why nothing new should be begun on the primary at the moment; empty when it should be.

    Rivals are no doubt: that there are several is known.
    """
    if seat.claims and not seat.rivals:
        return "another server claims its place"
    seen = looks[seat.primary]
    if not seen or seen[-1].error or not seat.identity:
        return ""
    if seen[-1].identity != seat.identity:
        return "another server answers at its address"
    if not (_is_whole(seen[-1]) and _takes_part(seen[-1], seat.group)):
        return "it has left its group, or is cut off from it"
    return "it has become read-only" if seat.writable and seen[-1].read_only else ""


def _known(seat: Seat, looks: Looks) -> Seat:
    """What the looks add to what is known of the one who has the place."""
    seen = looks[seat.primary]
    good = [look.identity for look in seen if not look.error]
    agreed = good and (not seat.identity or good == [good[-1]] * LOOKS)
    if agreed and good[-1] != seat.identity:
        seat = replace(seat, identity=good[-1], writable=False, heirs=seat.heirs | ({seat.identity} - {""}))
    writable = seat.writable or any(_takes_writes(look, seat.identity) for look in seen)
    return replace(seat, writable=writable, heirs=seat.heirs | _followers(seat, looks), group=_group(seat, seen))


def _group(seat: Seat, seen: Sequence[Observation]) -> str:
    """That of the primary when it was last whole: one that stands alone by now has no other."""
    member = seen[-1].member if seen and seen[-1].identity == seat.identity else None
    return member.group if member is not None and member.trouble is None else seat.group


def _takes_writes(look: Observation, identity: str) -> bool:
    return not look.error and look.identity == identity and not look.read_only


def _followers(seat: Seat, looks: Looks) -> frozenset[str]:
    last = (seen[-1] for seen in looks.values() if seen)
    return frozenset(look.identity for look in last if _follows(look, seat.identity))


def _follows(look: Observation, identity: str) -> bool:
    return bool(identity) and not look.error and look.replica is not None and look.replica.source == identity


def _claims(seat: Seat, name: str, seen: Sequence[Observation], looks: Looks) -> bool:
    """Whether a server was seen to be a primary: a blank server accepts writes too, and follows nobody.

    So it must be known to have followed the primary, or be followed.
    """
    if len(seen) < LOOKS or not all(_is_free(look) for look in seen):
        return False
    identity = seen[-1].identity
    return identity != seat.identity and (identity in seat.heirs or _is_followed(identity, name, looks))


def _is_free(look: Observation) -> bool:
    return not (look.error or look.read_only or look.replica) and _is_whole(look)


def _is_whole(look: Observation) -> bool:
    """A donor is up to date with its own writes. One that takes no part in its group may be meant to stand alone."""
    return look.member is None or look.member.trouble in (None, Trouble.DONOR, Trouble.OFFLINE)


def _is_followed(identity: str, name: str, looks: Looks) -> bool:
    return any(_follows(seen[-1], identity) for other, seen in looks.items() if seen and other != name)


def _has_left(seen: Sequence[Observation], group: str) -> bool:
    return len(seen) == LOOKS and not any(_is_free(look) and _takes_part(look, group) for look in seen)


def _takes_part(look: Observation, group: str) -> bool:
    """Whether a server is still in the group that it was in, if it was in one."""
    return not group or (look.member is not None and look.member.trouble is not Trouble.OFFLINE)


def _handed_over(seat: Seat, heir: str, looks: Looks, writable: Sequence[str]) -> Seat:
    return Seat(
        heir,
        looks[heir][-1].identity,
        writable=True,
        heirs=seat.heirs | ({seat.identity} - {""}),
        rivals=tuple(name for name in writable if name != heir),
        group=seat.group if _is_peer(seat, looks[heir]) else "",
    )
