"""Comparing replication positions: GTID sets of MySQL and GTID positions of MariaDB. Pure.

MySQL writes `uuid:1-5:7,uuid:tag:1-3` (tags since 8.3); MariaDB writes `domain-server-sequence,...`, and a position in
a domain holds everything up to its sequence number. Positions in a Galera cluster are written as MySQL's are, whoever
the vendor is. Where there are no GTIDs, positions are those of `topology.binlogs`; only `covers` takes them.
"""

import re
from collections.abc import Iterable, Mapping

from topology import binlogs
from topology.servers import Vendor

Interval = tuple[int, int]
_INTERVAL = re.compile(r"^(\d+)(?:-(\d+))?$")


def covers(vendor: Vendor, have: str, want: str) -> bool:
    """Whether a server at position `have` has executed everything in `want`."""
    if binlogs.MARK in have + want:
        return binlogs.covers(have, want)
    return not beyond(vendor, want, have)


def beyond(vendor: Vendor, gtid: str, limit: str) -> bool:
    """Whether `gtid` holds a transaction that `limit` lacks."""
    if vendor is Vendor.MARIADB and ":" not in gtid + limit:
        limits = mariadb_position(limit)
        return any(sequence > limits.get(domain, 0) for domain, sequence in mariadb_position(gtid).items())
    allowed = mysql_set(limit)
    return any(
        not _within(interval, allowed.get(source, ()))
        for source, intervals in mysql_set(gtid).items()
        for interval in intervals
    )


def mariadb_position(text: str) -> dict[int, int]:
    """Domain -> highest sequence number of a MariaDB position such as `0-1-100,2-7-9`."""
    position: dict[int, int] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        domain, _, sequence = (int(number) for number in item.split("-"))
        position[domain] = max(sequence, position.get(domain, 0))
    return position


def mysql_set(text: str) -> Mapping[str, tuple[Interval, ...]]:
    """Source -> intervals of a MySQL GTID set; a tagged source is `uuid:tag`."""
    found: dict[str, list[Interval]] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        uuid, *parts = (part.strip().lower() for part in item.split(":"))
        source = uuid
        for part in parts:
            if match := _INTERVAL.match(part):
                first = int(match[1])
                found.setdefault(source, []).append((first, int(match[2] or first)))
            else:
                source = f"{uuid}:{part}"
    return {source: _merged(intervals) for source, intervals in found.items()}


def _merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    merged: list[Interval] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def _within(interval: Interval, allowed: Iterable[Interval]) -> bool:
    return any(first <= interval[0] and interval[1] <= last for first, last in allowed)


def missing(vendor: Vendor, have: str, want: str) -> int:
    """How many transactions of `want` a server at `have` has not executed; on MariaDB the most that it can be."""
    if vendor is Vendor.MARIADB:
        present = mariadb_position(have)
        return sum(max(0, last - present.get(domain, 0)) for domain, last in mariadb_position(want).items())
    done = mysql_set(have)
    return sum(
        _length(interval) - sum(_length(_overlap(interval, other)) for other in done.get(source, ()))
        for source, intervals in mysql_set(want).items()
        for interval in intervals
    )


def _overlap(one: Interval, other: Interval) -> Interval:
    return max(one[0], other[0]), min(one[1], other[1])


def _length(interval: Interval) -> int:
    return max(0, interval[1] - interval[0] + 1)


def shares_history(have: str, state: str) -> bool:
    """Whether each part of MariaDB position `have` is in `state`, a primary's gtid_binlog_state and gtid_slave_pos.

    A position alone cannot tell two servers apart that counted equally far; who counted can.
    """
    reached: dict[tuple[str, str], int] = {}
    for domain, server, sequence in _triples(state):
        reached[domain, server] = max(sequence, reached.get((domain, server), 0))
    return all(reached.get((domain, server), 0) >= sequence for domain, server, sequence in _triples(have))


def _triples(text: str) -> Iterable[tuple[str, str, int]]:
    for item in filter(None, (part.strip() for part in text.split(","))):
        domain, server, sequence = item.split("-")
        yield domain, server, int(sequence)


def errant(vendor: Vendor, have: str, primary: str, server_id: str) -> str:
    """The transactions of a replica's history that the primary's lacks; empty if there are none.

    Histories are gtid_executed on MySQL; on MariaDB gtid_binlog_state, the primary's with its gtid_slave_pos. There the
    last of each domain and server is told, and a number that the primary has passed is only counted if the replica
    (`server_id`) has written it itself: who has written the older ones, the primary may have forgotten.
    """
    if vendor is Vendor.MARIADB:
        reached = mariadb_position(primary)
        return ",".join(
            f"{domain}-{server}-{sequence}"
            for domain, server, sequence in _triples(have)
            if (server == server_id or sequence > reached.get(int(domain), 0))
            and not shares_history(f"{domain}-{server}-{sequence}", primary)
        )
    allowed = mysql_set(primary)
    return ",".join(
        f"{source}:{first}" if first == last else f"{source}:{first}-{last}"
        for source, intervals in mysql_set(have).items()
        for first, last in _without(intervals, allowed.get(source, ()))
    )


def _without(intervals: Iterable[Interval], others: Iterable[Interval]) -> Iterable[Interval]:
    """What of `intervals` is in none of `others`; both sorted and apart."""
    for begin, end in intervals:
        first = begin
        for low, high in others:
            if low > end:
                break
            if first < low:
                yield first, low - 1
            first = max(first, high + 1)
        if first <= end:
            yield first, end
