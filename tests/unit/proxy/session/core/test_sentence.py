"""Several KILLs of one session at a time."""

from proxy.session.core.sentence import Sentence


def test_one_that_is_refused_does_not_undo_another() -> None:
    sentence = Sentence()
    sentence.passed(None, connection=True)
    sentence.passed(None, connection=True)
    assert not sentence.lifted(None, struck=False, connection=True)
    assert (sentence.condemned, sentence.any) == (True, True)
    sentence.lifted(None, struck=False, connection=True)
    assert (sentence.condemned, sentence.any) == (False, False)


def test_one_of_a_statement_says_nothing_of_one_of_the_connection() -> None:
    sentence = Sentence()
    sentence.passed(None, connection=True)
    sentence.passed(None, connection=False)
    sentence.lifted(None, struck=True, connection=False)
    assert (sentence.condemned, sentence.any) == (True, True)
    sentence.lifted(None, struck=False, connection=True)
    assert not sentence.any
