"""What a connection has seen, tried out on a copy."""

from proxy.routing.forms import Form
from proxy.routing.seen import Seen


def test_a_copy_changes_by_itself() -> None:
    seen, form, other = Seen(), Form(), Form()
    seen.statements[form], seen.variables["a"], seen.named["b"] = 7, 1, 2
    seen.version, seen.resets, seen.insert_id, seen.transaction, seen.warned = 3, 4, 5, 6, True
    copy = seen.copy()
    assert (copy.statements, copy.variables, copy.named) == (seen.statements, seen.variables, seen.named)
    assert (copy.version, copy.resets, copy.insert_id, copy.transaction, copy.warned) == (3, 4, 5, 6, True)
    copy.statements[other], copy.variables["c"], copy.named["d"] = 8, 9, 10
    assert (list(seen.statements), list(seen.variables), list(seen.named)) == ([form], ["a"], ["b"])
