"""What the stable codes of routing decisions mean, in a sentence; docs/routing.md has all of it."""

from typing import Final

_SENTENCES: Final = {
    "read": "a plain read: any replica that is fit, the primary if none is",
    "in-transaction": "a read inside a transaction stays where that is: on the primary",
    "read-only-transaction": "a read in a read-only transaction: one replica serves all of it",
    "optimistic-transaction": "a read in a transaction that has not written yet: a replica",
    "pinned": "the session has state that only its connection to the primary knows",
    "hint": "a comment in the statement asks for the primary",
    "rule": "a rule of the settings asks for the primary",
    "server-local": "it is about one server, so the primary answers",
    "user-variable": "it sets a user variable, or reads one whose value is not known here",
    "unknown-function": "it calls a function that is not known to be free of side effects",
    "primary-function": "it calls a function that only the primary can answer",
    "locking-read": "it locks what it reads",
    "select-into": "it writes into a file or a variable",
    "diagnostic": "it is about the statement before, so it goes where that ran",
    "transaction": "it begins or ends a transaction",
    "write": "it writes",
    "call": "a procedure can do anything",
    "prepare": "it prepares a statement",
    "session-setting": "it changes the session, and is repeated where the session reads",
    "refused-by-replica": "a replica has refused it as a write, so the primary runs it from then on",
    "replica-error": "a replica answered with an error, so the primary had the last word",
    "multi-statement": "a text of several statements that are not all plain reads",
    "temp-table": "temporary tables exist on one connection only",
    "kill": "it goes where its target is at work",
    "too-large": "a text that long is not parsed",
}
_UNREAD: Final = frozenset(
    "unparsed unreadable not-utf8 not-a-query executable-comment sql-mode unknown node word".split()
)


def sentence(reason: str) -> str:
    """What `reason` means; empty for those that say it themselves."""
    code = reason.partition(":")[0]
    if code in _UNREAD:
        return "it is not understood well enough to be read elsewhere"
    return _SENTENCES.get(code, "")
