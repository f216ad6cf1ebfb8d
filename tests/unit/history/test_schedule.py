"""A seed says what becomes of the servers."""

from itertools import islice

from tests.history.schedule import Kind, of_primary, of_replicas


def test_a_seed_draws_the_same_again() -> None:
    for draw in (of_replicas, of_primary):
        assert list(islice(draw(7), 50)) == list(islice(draw(7), 50))
        assert list(islice(draw(7), 50)) != list(islice(draw(8), 50))


def test_everything_is_done_sooner_or_later() -> None:
    replicas = {plan.kind for plan in islice(of_replicas(1), 15)}
    primary = {plan.kind for plan in islice(of_primary(1), 10)}
    assert replicas == set(Kind) - {Kind.SWITCHOVER}
    assert primary == {Kind.SWITCHOVER, Kind.KILL, Kind.FREEZE, Kind.CUT, Kind.MUTE, Kind.DEAF, Kind.SLOW}
    assert {plan.which for plan in islice(of_replicas(1), 50)} == {0, 1}
