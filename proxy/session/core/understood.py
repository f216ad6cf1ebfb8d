"""Errors in numbers that a client's library takes from a server.

MariaDB's C connector (mysqlclient, `mariadb`, sysbench, the command line) shows an error whose number is one of its own
as 2027, "malformed packet", and drops the message. Others take such numbers, and lists of what to try again have them.
"""

from dataclasses import replace
from typing import Final

from proxy.wire import constants as c
from proxy.wire.attributes import value_of
from proxy.wire.replies import Err

_REFUSED: Final = range(2001, 2062)
_LIBRARY: Final = "libmariadb"


def understood(err: Err, attributes: bytes) -> Err:
    """The error as it is told to a client with these connection attributes.

    A lost connection has the number that SQLAlchemy, for one, takes for the end of the connection as it does 2013; a
    server that cannot be reached, where nothing was run, that of one which is about to leave.
    """
    if err.errno not in _REFUSED or value_of(attributes, "_client_name") != _LIBRARY:
        return err
    errno = c.ER_CONNECTION_KILLED if err.errno == c.CR_SERVER_LOST else c.ER_SERVER_SHUTDOWN
    return replace(err, errno=errno, sqlstate="08S01")
