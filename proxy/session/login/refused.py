"""Why logins are refused, as they are counted."""

from typing import Final

BY_ADDRESS: Final = "address"
BY_USER: Final = "user"
BY_PASSWORD: Final = "password"
BLOCKED: Final = "blocked"
REASONS: Final = (BY_ADDRESS, BY_USER, BY_PASSWORD, BLOCKED)
