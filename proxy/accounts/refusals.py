"""What clients are told whose account the proxy cannot verify. Pure."""

from typing import Final

from proxy.accounts.table import Account
from proxy.wire.constants import ER_NOT_SUPPORTED_AUTH_MODE
from proxy.wire.replies import Err

_LOCAL: Final = "it is for users of the server's own machine: add a method with a password, or connect to the server"
_ELSEWHERE: Final = (
    "the password is judged outside of the server: add a method whose password the server keeps,"
    " or list the account with its password in the proxy's own file"
)
_OTHER: Final = "give the account a method with a password, or connect to the server itself"
_REMEDIES: Final = {
    "unix_socket": _LOCAL,
    "auth_socket": _LOCAL,
    "pam": _ELSEWHERE,
    "pam_v1": _ELSEWHERE,
    "authentication_pam": _ELSEWHERE,
    "authentication_ldap_simple": _ELSEWHERE,
}


def refusal(account: Account) -> Err | None:
    """The error for an account whose methods the proxy cannot verify, naming the method and a way out; else None."""
    if account.supported:
        return None
    if account.further:
        said = f"needs the authentication method '{account.further[0]}' as a further factor"
        method = account.further[0]
    else:
        method = account.unknown[0]
        said = f"uses the authentication method '{method}'"
    message = (
        f"The account '{account.user}'@'{account.host}' {said}, which the proxy cannot verify;"
        f" {_REMEDIES.get(method, _OTHER)}"
    )
    return Err(ER_NOT_SUPPORTED_AUTH_MODE, message, "08004")
