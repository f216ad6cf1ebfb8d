"""The user variables of a session: which have a value that can be repeated on another connection."""

from typing import Final

from proxy.sql.effects import SetUserVariable
from proxy.sql.statement import Variables

# Of a session that sets more, no value is known.
MAX_VARIABLES: Final = 256
_NULL: Final = "NULL"


class Variable:
    """One user variable: its last value as SQL, empty when it is not known, and the version in which it got that.

    `epoch` is the session's when it was set: a string means another one after a change of character set or sql_mode.
    `typed` is its value before NULL, of which it keeps the type; empty when it had none that is known.
    """

    __slots__ = ("epoch", "typed", "value", "version")

    def __init__(self, value: str, version: int, epoch: int, typed: str = "") -> None:
        self.value = value
        self.version = version
        self.epoch = epoch
        self.typed = typed


class UserVariables:
    """All of them.

    `known` are those that were set, by name, also to a value that cannot be told. `uncertain` says that any variable
    may have got a value that is not known.
    """

    __slots__ = ("_version", "known", "uncertain")

    def __init__(self) -> None:
        self.known: dict[str, Variable] = {}
        self._version = 0
        self.uncertain = False

    def clear(self) -> None:
        """None is set any more."""
        self.known.clear()
        self.uncertain = False

    def set(self, effect: SetUserVariable, epoch: int, seen: dict[str, int]) -> None:
        """A statement gave a value to a variable on the connection that has `seen` these versions."""
        if not effect.name or len(self.known) >= MAX_VARIABLES:
            self.lose_all()
            return
        self._version += 1
        typed = self._type_of(effect.name, epoch) if effect.value.upper() == _NULL else ""
        self.known[effect.name] = Variable(effect.value, self._version, epoch, typed)
        seen[effect.name] = self._version

    def _type_of(self, name: str, epoch: int) -> str:
        """A value of the type that a variable has now; empty when none is known."""
        variable = self.known.get(name)
        if variable is None:
            return ""
        typed = variable.typed or variable.value
        return typed if variable.epoch == epoch and typed.upper() != _NULL else ""

    def lose_all(self) -> None:
        """Any of them may have got a value that is not known."""
        self.known.clear()
        self.uncertain = True

    def can_be_told(self, names: Variables, epoch: int) -> bool:
        """Whether all these can be repeated on another connection; a variable that was never set is NULL everywhere."""
        if names is None:
            return not self.uncertain and all(self._usable(name, epoch) for name in self.known)
        return all(self._usable(name, epoch) for name in names)

    def _usable(self, name: str, epoch: int) -> bool:
        variable = self.known.get(name)
        if variable is None:
            return not self.uncertain
        return bool(variable.value) and (variable.epoch == epoch or variable.value[0] != "'")

    def missing(self, epoch: int, seen: dict[str, int]) -> dict[str, Variable]:
        """Those that a connection that has `seen` these versions has to be told, and that can be."""
        return {
            name: variable
            for name, variable in self.known.items()
            if seen.get(name) != variable.version and self._usable(name, epoch)
        }


def set_text(variables: dict[str, Variable]) -> str:
    """The statement that sets these; their values must be known."""
    values = ((name, value) for name, of in variables.items() for value in (of.typed, of.value) if value)
    return "SET " + ", ".join(f"@`{name}` = {value}" for name, value in values)
