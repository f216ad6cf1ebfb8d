"""What a prepared statement is to any server connection: equal forms are one statement there, whoever prepared it."""

from weakref import WeakValueDictionary


class Form:
    """A text with what decided its meaning when it was parsed. Equal ones are one object, so that lookups are cheap."""

    __slots__ = ("__weakref__",)


class Forms:
    """All forms in use, shared by the sessions of a process."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[tuple[object, ...], Form] = WeakValueDictionary()

    def of(self, packet: bytes, schema: str, texts: tuple[str, ...] | None, ordinal: int) -> Form:
        """The form of what the COM_STMT_PREPARE `packet` prepares in `schema` under the settings `texts`.

        Without `texts` they are not known, and no other form is equal. `ordinal` tells apart the statements of one
        session that have the same text, each of which has its own cursor and long data.
        """
        if texts is None:
            return Form()
        key = (packet, schema, texts, ordinal)
        form = self._known.get(key)
        if form is None:
            self._known[key] = form = Form()
        return form
