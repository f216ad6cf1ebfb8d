"""Positions in a MySQL server's binary log by file and offset, for those that keep no GTIDs. Pure.

They are written `server_uuid/3:1234`: whose log it is, the number of the file and the offset in it. Such positions are
comparable within the log of one server only.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

MARK: Final = "/"
"""What no GTID has in it."""

STATUS: Final = ("SHOW BINARY LOG STATUS", "SHOW MASTER STATUS")
"""Where a server's own log ends, in the words of newer and older versions. Needs REPLICATION CLIENT."""

_POSITION: Final = re.compile(rf"([0-9a-f-]+){MARK}(\d+):(\d+)", re.IGNORECASE)
_FILE: Final = re.compile(r"\.(\d+)$")


def logged(server: str, row: Mapping[str, Any]) -> str:
    """Where the log of `server` (its UUID) ends, by the row of STATUS; empty if it writes none."""
    return _written(server, row.get("File"), row.get("Position"))


def executed(row: Mapping[str, Any]) -> str:
    """Up to where a replica has executed its source's log, by SHOW REPLICA STATUS; empty if that is not known."""
    new, old = (
        (row.get(f"{word}_UUID"), row.get(f"Relay_{word}_Log_File"), row.get(f"Exec_{word}_Log_Pos"))
        for word in ("Source", "Master")
    )
    return _written(*new) or _written(*old)


def _written(server: object, file: object, offset: object) -> str:
    number = _FILE.search(str(file or ""))
    return f"{server}{MARK}{int(number[1])}:{offset}" if server and number else ""


def covers(have: str, want: str) -> bool:
    """Whether all up to `want` is in what is up to `have`; never if they are of the logs of two servers."""
    ours, theirs = _POSITION.fullmatch(have), _POSITION.fullmatch(want)
    if ours is None or theirs is None or ours[1].lower() != theirs[1].lower():
        return False
    return (int(ours[2]), int(ours[3])) >= (int(theirs[2]), int(theirs[3]))
