"""The hot modules compiled: the same answers as from the same modules interpreted."""

import sys
from pathlib import Path

import pytest

from replication.sandbox import Flavor
from tests.differential.run import Differential
from tests.support.clusters import TRUSTING, replicating_cluster
from tests.support.proxies import running_proxy
from tests.support.wheels import compile_into, compiled_modules, output

# Compiling takes about a minute of one core.
pytestmark = pytest.mark.timeout(900)
SEED = 2
SEQUENCES = 40


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the compiled packages are."""
    work = tmp_path_factory.mktemp("compiled")
    compile_into(work / "packages", work, quickly=True)
    return work / "packages"


def test_all_that_is_named_is_compiled(packages: Path) -> None:
    names = compiled_modules()
    show = f"import importlib; print(*(importlib.import_module(name).__file__ for name in {names!r}), sep='\\n')"
    files = output((sys.executable, "-P", "-c", show), packages, PYTHONPATH=str(packages)).splitlines()
    assert len(files) == len(names)
    assert [name for name, file in zip(names, files, strict=True) if not file.endswith(".so")] == []
    assert all(Path(file).is_relative_to(packages) for file in files)


def test_sequences_are_answered_as_by_the_server(packages: Path) -> None:
    """One test for both vendors: tests of each would be dealt to two workers, and each of these would compile."""
    for flavor in Flavor:
        with (
            replicating_cluster(flavor, options=TRUSTING) as cluster,
            running_proxy(cluster, packages=str(packages)) as proxy,
        ):
            outcome = Differential(cluster, proxy, SEED).run(range(SEQUENCES))
            assert not outcome.findings, "\n\n".join(map(str, outcome.findings))
            assert outcome.steps > 10 * SEQUENCES
            assert outcome.reads["dbread1"] > SEQUENCES
            assert "Traceback" not in proxy.log
