"""Metrics of several processes as those of one."""

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from proxy.http.summing import counted, levels, of_parent, summed


def counter(value: float, kind: str = "read") -> Metric:
    family = CounterMetricFamily("manyreads_statements", "text", labels=("kind",))
    family.add_metric((kind,), value)
    return family


def gauge(name: str, value: float) -> Metric:
    return GaugeMetricFamily(name, "text", value=value)


def values(families: list[Metric]) -> dict[str, float]:
    return {sample.name + str(sample.labels): sample.value for family in families for sample in family.samples}


def test_counters_and_levels_are_added_up() -> None:
    found = summed([], [[counter(1), gauge("manyreads_sessions", 2)], [counter(10), gauge("manyreads_sessions", 3)]])
    assert values(found) == {"manyreads_statements_total{'kind': 'read'}": 11, "manyreads_sessions{}": 5}


def test_other_labels_are_other_samples() -> None:
    assert sorted(values(summed([], [[counter(1)], [counter(2, "other")]])).values()) == [1, 2]


def test_histograms_are_added_up() -> None:
    def histogram(*counts: float) -> Metric:
        family = HistogramMetricFamily("manyreads_served_seconds", "text")
        family.add_metric((), [("0.1", counts[0]), ("+Inf", counts[1])], counts[2])
        return family

    assert sorted(values(summed([], [[histogram(1, 3, 0.5)], [histogram(2, 2, 0.25)]])).values()) == [0.75, 3, 5, 5]


def test_what_the_parent_knows_is_not_added_up() -> None:
    own = gauge("manyreads_server_lag_seconds", 2)
    found = summed(of_parent([own, gauge("manyreads_sessions", 0)]), [[gauge("manyreads_server_lag_seconds", 5)]])
    assert values(found) == {"manyreads_server_lag_seconds{}": 2}


def test_the_latest_event_loop_counts() -> None:
    name = "manyreads_event_loop_late_seconds"
    assert values(summed([], [[gauge(name, 0.5)], [gauge(name, 0.1)]])) == {name + "{}": 0.5}


def test_what_is_added_up_is_left_as_it_was() -> None:
    first = counter(1)
    summed([first], [[counter(1)], [counter(1)]])
    assert values([first]) == {"manyreads_statements_total{'kind': 'read'}": 1}


def test_what_stays_true_is_told_apart() -> None:
    families = [counter(1), gauge("manyreads_sessions", 1)]
    assert (counted(families), levels(families)) == (families[:1], families[1:])
