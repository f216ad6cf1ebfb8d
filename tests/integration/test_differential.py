"""Random sequences of statements that change session state: step by step as on a direct connection."""

from replication.sandbox import Cluster
from tests.differential.run import POOL, Differential
from tests.differential.taking import OPTIONS
from tests.support.proxies import running_proxy

SEED = 1
SEQUENCES = 140


def test_transactions_that_read_on_replicas_first(shared_cluster: Cluster) -> None:
    with running_proxy(shared_cluster, "--transaction-reads", "optimistic") as proxy:
        outcome = Differential(shared_cluster, proxy, SEED).run(range(SEQUENCES // 3))
        assert not outcome.findings, "\n\n".join(map(str, outcome.findings))
        assert "Traceback" not in proxy.log


def test_sequences_are_answered_as_by_the_server(shared_cluster: Cluster) -> None:
    """What differs is shown shortened; `python -m tests.differential --seed 1 --sequence N` plays it again."""
    with running_proxy(shared_cluster, *POOL) as proxy:
        outcome = Differential(shared_cluster, proxy, SEED).run(range(SEQUENCES))
        assert not outcome.findings, "\n\n".join(map(str, outcome.findings))
        # The test tests something: few sequences end early, and many reads leave the primary.
        assert outcome.known.total() < SEQUENCES / 10
        assert outcome.steps > 10 * SEQUENCES
        assert outcome.reads["dbread1"] + outcome.reads["dbread2"] > SEQUENCES // 2
        assert "Traceback" not in proxy.log


def test_sequences_whose_connections_are_taken_away(shared_cluster: Cluster) -> None:
    with running_proxy(shared_cluster, *OPTIONS) as proxy:
        outcome = Differential(shared_cluster, proxy, SEED, taking=True).run(range(SEQUENCES // 8))
        assert not outcome.findings, "\n\n".join(map(str, outcome.findings))
        assert outcome.steps > 2 * SEQUENCES // 8
        assert "Traceback" not in proxy.log
