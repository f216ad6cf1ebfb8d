"""Which prepared statements are one to a server connection, and what a connection keeps of them."""

from proxy.routing.forms import Forms
from proxy.routing.seen import Seen
from proxy.wire.definitions import Definitions

PACKET = b"\x16SELECT 1"


def test_equal_texts_of_equal_meaning_are_one_form() -> None:
    forms = Forms()
    one = forms.of(PACKET, "a", (), 0)
    assert forms.of(PACKET, "a", (), 0) is one
    assert forms.of(PACKET, "b", (), 0) is not one
    assert forms.of(PACKET, "a", ("NAMES latin1",), 0) is not one
    assert forms.of(PACKET, "a", (), 1) is not one


def test_what_texts_mean_may_not_be_known() -> None:
    forms = Forms()
    assert forms.of(PACKET, "a", None, 0) is not forms.of(PACKET, "a", None, 0)


def test_a_form_that_is_used_becomes_the_last_one() -> None:
    seen, forms = Seen(), Forms()
    one, other = forms.of(PACKET, "", (), 0), forms.of(PACKET, "", (), 1)
    seen.statements = {one: 7, other: 8}
    assert seen.used(one) == 7
    assert list(seen.statements) == [other, one]


def test_forgetting_one_form_and_all() -> None:
    seen, forms = Seen(), Forms()
    one, other = forms.of(PACKET, "", (), 0), forms.of(PACKET, "", (), 1)
    seen.statements, seen.types = {one: 7, other: 8}, {one: b"\3\0"}
    seen.definitions = {one: Definitions(b"", ())}
    seen.variables, seen.named, seen.insert_id = {"a": 1}, {"p": 1}, 5
    assert seen.forget(one) == 7
    assert (list(seen.statements), seen.types, seen.definitions) == ([other], {}, {})
    seen.forget_all()
    assert (seen.statements, seen.variables, seen.named, seen.insert_id) == ({}, {}, {}, 0)
