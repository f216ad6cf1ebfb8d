from tests.suites.outcomes import differences, failed, from_json, from_junit, summary

REPORT = """<?xml version="1.0"?><testsuites><testsuite name="pytest">
<testcase classname="a" name="t"/>
<testcase classname="a" name="u"><skipped message="not here"/></testcase>
<testcase classname="b" name="t"><failure message="no">text</failure></testcase>
<testcase classname="b" name="u"><properties/></testcase>
<testcase classname="b" name="u"><error message="at the end"/></testcase>
<testcase classname="b" name="v"><error message="at the end"/></testcase>
<testcase classname="b" name="v"/>
</testsuite></testsuites>"""


def test_a_junit_report_is_read() -> None:
    assert from_junit(REPORT) == {
        "a::t": "passed",
        "a::u": "skipped",
        "b::t": "failure",
        "b::u": "error",
        "b::v": "error",
    }


def test_runs_that_end_alike_do_not_differ() -> None:
    outcomes = from_junit(REPORT)
    assert differences(outcomes, dict(outcomes)) == []


def test_tests_that_end_otherwise_or_are_missing_differ() -> None:
    without = from_json('{"same": "passed", "other": "passed", "gone": "skipped"}')
    through = from_json('{"same": "passed", "other": "failure", "new": "error"}')
    assert differences(without, through) == [
        "gone: skipped without the proxy, not run through it",
        "new: not run without the proxy, error through it",
        "other: passed without the proxy, failure through it",
    ]


def test_a_summary_counts() -> None:
    assert summary({"a": "passed", "b": "skipped", "c": "passed"}) == "2 passed, 1 skipped"


def test_failures_and_errors_are_counted() -> None:
    assert failed(from_junit(REPORT)) == 3
