"""How tests are dealt out to workers that run side by side. Pure.

A unit is what one worker runs in order: the tests of a file, those of each vendor for themselves. Its name is the path
of the file, `@` and the vendor, which is empty for tests without one, and for files of which both vendors' tests share
what takes long to make.
"""

from collections.abc import Iterable

from replication.sandbox import Flavor

_VENDORS = [flavor.value for flavor in Flavor]
_GIBIBYTES_EACH = 2
# What takes a minute and more, much of it waiting. It comes first, so that nobody is left alone with it in the end.
_LONG = (
    "test_compiled",
    "test_switchover",
    "test_kills",
    "test_watch",
    "test_startsync",
    "test_sandbox",
    "test_faults",
    "test_verify",
    "test_attach_again",
    "test_login_methods",
    "test_many_clients",
    "test_hostile",
    "test_memory",
)

_BOTH_VENDORS = ("test_dotcloud.py",)


def worker_count(processors: int, gibibytes: float) -> int:
    """Two for each processor, as tests wait much of their time, unless memory is short: each has servers of its own."""
    return max(1, min(2 * processors, int(gibibytes / _GIBIBYTES_EACH)))


def unit(nodeid: str) -> str:
    """The unit that a test belongs to, by pytest's name for the test."""
    file, _, test = nodeid.partition("::")
    if file.endswith(_BOTH_VENDORS):
        return f"{file}@"
    values = test.partition("[")[2].removesuffix("]").split("-")
    return f"{file}@{next((value for value in values if value in _VENDORS), '')}"


def next_unit(waiting: Iterable[str], worker: int) -> str:
    """Which of the waiting units a worker takes: one of its vendor, and a long one, if there is one.

    So a worker seldom has to start servers of another vendor. Tests that need no servers come last, to fill the gaps.
    """
    own = _VENDORS[worker % len(_VENDORS)]

    def rank(name: str) -> tuple[bool, bool, bool]:
        file, _, vendor = name.partition("@")
        return ("/integration/" not in file, vendor not in ("", own), not any(long in file for long in _LONG))

    return min(waiting, key=rank)
