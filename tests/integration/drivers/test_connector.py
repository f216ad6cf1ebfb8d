"""mysql-connector-python, in pure Python and with its C extension."""

import pytest

from tests.integration.drivers.connector import Connector
from tests.integration.drivers.endpoint import Endpoints, compared
from tests.integration.drivers.processes import in_a_process


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_the_pure_connector_sees_no_difference(endpoints: Endpoints) -> None:
    compared(endpoints, Connector(pure=True).scenarios)


def test_the_c_extension_sees_no_difference(endpoints: Endpoints) -> None:
    compared(endpoints, in_a_process("connector_in_c"))
