"""Reading sysbench's report, which is of version 1.0.20 here."""

import pytest

from tests.bench.sysbench import BenchError, Report, parse_report

REPORT = """\
SQL statistics:
    queries performed:
        read:                            33040
        write:                           0
        other:                           4720
        total:                           37760
    transactions:                        2360   (1177.09 per sec.)
    queries:                             37760  (18833.43 per sec.)
    ignored errors:                      0      (0.00 per sec.)
    reconnects:                          0      (0.00 per sec.)

General statistics:
    total time:                          2.0035s
    total number of events:              2360

Latency (ms):
         min:                                    1.98
         avg:                                    6.79
         max:                                   21.93
         95th percentile:                       10.46
         sum:                                16013.72
"""


def test_report_counts_queries_not_transactions() -> None:
    report = parse_report(REPORT)
    assert report == Report(queries=37760, seconds=2.0035, p95_ms=10.46)
    assert report.queries_per_second == pytest.approx(18847, rel=1e-3)


def test_report_without_figures_shows_what_came_instead() -> None:
    with pytest.raises(BenchError, match="FATAL: error 2003"):
        parse_report("FATAL: error 2003: Can't connect\n")


def test_report_without_queries_is_refused() -> None:
    with pytest.raises(BenchError, match="no query"):
        parse_report(REPORT.replace("total:                           37760", "total:                           0"))
