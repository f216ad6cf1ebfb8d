"""What one server connection has seen of its session."""

from proxy.routing.forms import Form
from proxy.routing.settings import LOGIN
from proxy.wire.definitions import Definitions


class Seen:
    """What one server connection has seen of its session.

    `version` and `resets` as in SessionState. `statements` maps prepared statements to the numbers that the server gave
    them, those used longest ago first; `types` holds the parameter types that the server was last sent for each. `most`
    is how many statements the server was found to allow it, 0 if that is not known. `detour` is the statement for whose
    sake the connection is in another schema than the session. `variables` and
    `named` are the versions that it has of user variables and of statements that were prepared as text. `definitions`
    are those that the server sent last for the columns of prepared statements, where a client agreed to keep them.
    `insert_id` is what LAST_INSERT_ID() gives there, None when only the server knows. `tracked` says that it was told
    what to report of the session's state. `transaction` is the number of the read-only transaction that
    has a twin there, 0 without one. `warned` says that a
    statement has left warnings since, `was_reset` that the connection was reset since its login.
    """

    __slots__ = (
        *("definitions", "detour", "insert_id", "most", "named", "resets", "statements", "tracked", "types"),
        *("transaction", "variables", "version", "warned", "was_reset"),
    )

    def __init__(self) -> None:
        self.version = LOGIN
        self.resets = 0
        self.statements: dict[Form, int] = {}
        self.types: dict[Form, bytes] = {}
        self.definitions: dict[Form, Definitions] = {}
        self.most = 0
        self.detour: Form | None = None
        self.variables: dict[str, int] = {}
        self.named: dict[str, int] = {}
        self.insert_id: int | None = 0
        self.tracked = False
        self.transaction = 0
        self.warned = False
        self.was_reset = False

    def passed_on(self) -> "Seen":
        """What is left of it for another session: what is prepared there."""
        seen = Seen()
        seen.statements = {form: number for form, number in self.statements.items() if number}
        seen.types, seen.definitions = self.types, self.definitions
        seen.most, seen.tracked, seen.was_reset = self.most, self.tracked, self.was_reset
        return seen

    def copy(self) -> "Seen":
        """One that can change by itself."""
        seen = self.passed_on()
        seen.types, seen.definitions = self.types.copy(), self.definitions.copy()
        seen.variables, seen.named = self.variables.copy(), self.named.copy()
        seen.version, seen.resets, seen.insert_id = self.version, self.resets, self.insert_id
        seen.transaction, seen.warned, seen.detour = self.transaction, self.warned, self.detour
        return seen

    def used(self, form: Form) -> int:
        """A prepared statement is used now; returns the server's number for it."""
        self.statements[form] = given = self.statements.pop(form)
        return given

    def forget(self, form: Form) -> int:
        """A prepared statement is to be closed; returns the server's number for it."""
        self.types.pop(form, None)
        self.definitions.pop(form, None)
        return self.statements.pop(form)

    def forget_all(self) -> None:
        """The connection was reset, so that it has nothing of the session but its default schema."""
        self.statements.clear()
        self.types.clear()
        self.definitions.clear()
        self.variables.clear()
        self.named.clear()
        self.insert_id = 0
        self.tracked = False
        self.transaction = 0
        self.warned = False
        self.was_reset = True
