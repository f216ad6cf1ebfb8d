"""Reading /proc."""

import os

from tests.bench.usage import parse_rss, parse_stat, usage


def test_stat_with_spaces_and_parentheses_in_the_name() -> None:
    tick = 1_000_000 / os.sysconf("SC_CLK_TCK")
    stat = "1234 (a (strange) name) S 1 1234 1234 0 -1 4194304 100 0 0 0 12 34 0 0 20 0 2 0 100 1000 200"
    assert parse_stat(stat) == (12 * tick, 34 * tick)


def test_rss() -> None:
    assert parse_rss("Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t   800 kB\n") == 800


def test_usage_of_this_process() -> None:
    own = usage(os.getpid())
    assert own.user_us > 0
    assert own.rss_kib > 1000
