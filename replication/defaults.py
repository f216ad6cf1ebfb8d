"""What holds where an operator chooses nothing."""

from typing import Final

REPLICATION_USER: Final = "manyreads_repl"
# Ranges of rows that are copied to a replica at a time.
PARALLEL: Final = 4
# Seconds for which `verify` may hold a replica.
MAX_PAUSE: Final = 2.0
