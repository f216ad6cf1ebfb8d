"""Medians over rounds, and ratios taken within a round."""

import pytest

from tests.bench.figures import Figures, Sample, summarise


def sample(target: str, number: int, speed: float, user: float | None, system: float | None) -> Sample:
    return Sample("point-text", target, number, speed, 1.0, user, system, None if user is None else 1000 + number)


def line(lines: list[Figures], target: str) -> Figures:
    return next(found for found in lines if found.target == target)


def test_ratios_are_taken_in_each_round_before_the_median() -> None:
    lines = summarise(
        [
            sample("forwarder", 0, 100, 5, 5),
            sample("proxy", 0, 90, 10, 5),
            sample("forwarder", 1, 50, 10, 10),  # a slow moment of the machine
            sample("proxy", 1, 40, 20, 10),
            sample("forwarder", 2, 100, 5, 5),
            sample("proxy", 2, 30, 30, 10),
        ]
    )
    proxy = line(lines, "proxy")
    assert proxy.cpu_us == 30
    assert proxy.cpu_ratio == pytest.approx(1.5)
    assert proxy.speed_ratio == pytest.approx(0.8)
    assert proxy.rss_kib == 1001
    assert line(lines, "forwarder").cpu_ratio == 1


def test_direct_connections_have_speed_but_no_cpu() -> None:
    lines = summarise([sample("direct", 0, 200, None, None), sample("forwarder", 0, 100, 5, 5)])
    direct = line(lines, "direct")
    assert direct.speed_ratio == 2
    assert (direct.cpu_us, direct.cpu_ratio, direct.rss_kib) == (None, None, None)


def test_lines_keep_the_order_of_the_measurements() -> None:
    lines = summarise([sample(target, 0, 1, None, None) for target in ("direct", "forwarder", "proxy")])
    assert [found.target for found in lines] == ["direct", "forwarder", "proxy"]


def test_without_a_forwarder_there_are_no_ratios() -> None:
    (proxy,) = summarise([sample("proxy", 0, 90, 10, 5)])
    assert proxy.cpu_us == 15
    assert proxy.cpu_ratio is None
