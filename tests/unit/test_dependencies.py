"""What is installed beside this code: all of it pinned, and under licences that allow it to be passed on."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, metadata, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
_FREE = re.compile(r"\b(MIT|BSD|Apache|PSF|Python Software Foundation|ISC|Mozilla|MPL)\b", re.IGNORECASE)


def pinned() -> dict[str, str]:
    """The lock: versions by name."""
    lines = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith(("#", " ", "--"))]
    assert all(len(one.specifier) == 1 and str(one.specifier).startswith("==") for one in found)
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in found}


def needed(name: str, extras: frozenset[str] = frozenset()) -> Iterator[Requirement]:
    """What a package needs here, without what its other extras need."""
    for line in requires(name) or ():
        one = Requirement(line)
        wanted = any(one.marker.evaluate({"extra": extra}) for extra in extras | {""}) if one.marker else True
        if wanted:
            yield one


def at_run_time() -> set[str]:
    """All that is needed to run, however far away."""
    found: set[str] = set()
    open_ = list(needed("manyreads"))
    while open_:
        one = open_.pop()
        name = canonicalize_name(one.name)
        if name not in found:
            found.add(name)
            open_ += needed(name, frozenset(one.extras))
    return found


def licences(of: PackageMetadata) -> str:
    told = of.json
    return " ".join(map(str, (told.get("license_expression"), told.get("license"), told.get("classifier"))))


def test_all_that_runs_is_pinned() -> None:
    versions, running = pinned(), at_run_time()
    assert {"aiohttp", "pydantic", "sqlglot", "uvloop"} <= running
    assert running - versions.keys() == set()


def test_all_that_runs_may_be_passed_on() -> None:
    assert {name for name in at_run_time() if not _FREE.search(licences(metadata(name)))} == set()
