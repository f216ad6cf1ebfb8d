"""An error of the proxy's own, for a server to know of: what a client asks about it afterwards is asked there. Pure.

Observed on MariaDB 10.11 and MySQL 9.7: behind SIGNAL, ROW_COUNT(), FOUND_ROWS() and the list of warnings are what they
are behind a command that a server has refused with the same error; only that MySQL adds a command's to the list of the
statement before.
"""

import re
from typing import Final

from proxy.wire.replies import Err

# A longer MESSAGE_TEXT is itself an error, on MySQL.
_LONGEST: Final = 128
# In a string of any sql_mode they stand for themselves.
_ODD: Final = re.compile(r"[^\w .,:;()=+/-]", re.ASCII)


def signal(err: Err) -> bytes:
    """The statement that ends with this error."""
    message = _ODD.sub("?", err.message)[:_LONGEST]
    text = f"SIGNAL SQLSTATE '{err.sqlstate}' SET MYSQL_ERRNO = {err.errno}, MESSAGE_TEXT = '{message}'"
    return text.encode()
