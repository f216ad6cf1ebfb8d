"""Where a run of the tests keeps what is made only once for all of its processes."""

import os
from pathlib import Path
from typing import Final

ONCE: Final = "MANYREADS_TESTS_ONCE"


def directory_of_run() -> Path | None:
    """It goes with the run; None when no tests run, but something that starts servers as they do."""
    found = os.environ.get(ONCE)
    return Path(found) if found else None
