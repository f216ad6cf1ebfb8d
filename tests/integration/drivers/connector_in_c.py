"""`python -m tests.integration.drivers.connector_in_c`: the connector's scenarios with its C extension.

A process of its own: the extension needs the OpenSSL that its wheel brings along, and a process keeps the libssl that
it loads first. Where Python's ssl was loaded before, as in any test runner, and the system's OpenSSL is older, the
extension cannot be imported, and the connector falls back to pure Python without a word.
"""

import _mysql_connector
from mysql.connector import HAVE_CEXT

from tests.integration.drivers.connector import Connector
from tests.integration.drivers.processes import answer

if __name__ == "__main__":
    assert HAVE_CEXT, f"the connector cannot use {_mysql_connector.__file__}"
    answer(Connector(pure=False).scenarios)
