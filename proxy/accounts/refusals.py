"""What clients are told whose account the proxy cannot verify. Pure."""

from typing import Final

from proxy.accounts.table import Account
from proxy.wire.constants import ER_ACCESS_DENIED_NO_PASSWORD, ER_NOT_SUPPORTED_AUTH_MODE
from proxy.wire.replies import Err

_LOCAL: Final = "it is for users of the server's own machine: add a method with a password, or connect to the server"
_ELSEWHERE: Final = (
    "the password is judged outside of the server: add a method whose password the server keeps,"
    " or list the account with its password in the proxy's own file"
)
_OTHER: Final = "give the account a method with a password, or connect to the server itself"
_OF_SOCKETS: Final = frozenset({"unix_socket", "auth_socket"})
_REMEDIES: Final = {
    **dict.fromkeys(_OF_SOCKETS, _LOCAL),
    "pam": _ELSEWHERE,
    "pam_v1": _ELSEWHERE,
    "authentication_pam": _ELSEWHERE,
    "authentication_ldap_simple": _ELSEWHERE,
}


def refusal(account: Account, user: str, host: str) -> Err | None:
    """The error for a client, `user` from `host`, whose account has no method that the proxy can verify; else None.

    It names the method and a way out.
    """
    if account.supported:
        return None
    if not account.further and set(account.unknown) <= _OF_SOCKETS:
        # The code and the first words are those of servers, for such an account over TCP.
        denied = f"Access denied for user '{user}'@'{host}': the {_account_and_remedy(account, account.unknown[0])}"
        return Err(ER_ACCESS_DENIED_NO_PASSWORD, denied, "28000")
    method = (account.further or account.unknown)[0]
    return Err(ER_NOT_SUPPORTED_AUTH_MODE, f"The {_account_and_remedy(account, method)}", "08004")


def _account_and_remedy(account: Account, method: str) -> str:
    needs = f"needs the authentication method '{method}' as a further factor"
    uses = f"uses the authentication method '{method}'"
    return (
        f"account '{account.user}'@'{account.host}' {needs if account.further else uses},"
        f" which the proxy cannot verify; {_REMEDIES.get(method, _OTHER)}"
    )
