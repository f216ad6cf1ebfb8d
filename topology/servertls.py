"""TLS to servers: the context that a server's policy asks for."""

import ssl
from functools import lru_cache

from topology.servers import ServerTls, TlsPolicy
from topology.tlsfiles import WatchedContext, load_authorities, load_certificate


@lru_cache(maxsize=64)
def server_context(policy: TlsPolicy) -> WatchedContext:
    """The context of a policy that is not `off`, watched for changes of its files; one for all who use the policy.

    Raises ConfigError when a file cannot be used.
    """
    files = [file for file in (policy.ca, policy.certificate, policy.key) if file is not None]
    return WatchedContext("the TLS files for servers", files, lambda: _context(policy))


def _context(policy: TlsPolicy) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = policy.mode is ServerTls.VERIFY_FULL
    if policy.mode not in (ServerTls.VERIFY_CA, ServerTls.VERIFY_FULL):
        context.verify_mode = ssl.CERT_NONE
    elif policy.ca is not None:
        load_authorities(context, policy.ca)
    else:
        context.load_default_certs()
    if policy.certificate is not None:
        load_certificate(context, policy.certificate, policy.key)
    return context
