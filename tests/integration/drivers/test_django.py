"""Django as applications use it: its models, its transactions, its introspection."""

from tests.integration.drivers.endpoint import Endpoints, compared
from tests.integration.drivers.processes import in_a_process


def test_django_sees_no_difference(endpoints: Endpoints) -> None:
    found = compared(endpoints, in_a_process("django_application"))
    assert found["gone"] == 0
    assert found["committed"] == 1
    assert found["books"][0]["facts"] == {"ü": [1, None]}
