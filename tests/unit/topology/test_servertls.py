"""What each policy towards servers verifies."""

import ssl
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from topology.errors import ConfigError
from topology.servers import ServerTls, TlsPolicy
from topology.servertls import server_context


@pytest.mark.parametrize(
    ("mode", "verifies", "names"),
    [
        (ServerTls.PREFERRED, ssl.CERT_NONE, False),
        (ServerTls.REQUIRED, ssl.CERT_NONE, False),
        (ServerTls.VERIFY_CA, ssl.CERT_REQUIRED, False),
        (ServerTls.VERIFY_FULL, ssl.CERT_REQUIRED, True),
    ],
)
def test_what_is_verified(tmp_path: Path, mode: ServerTls, verifies: ssl.VerifyMode, names: bool) -> None:
    context = server_context(TlsPolicy(mode, Authority(tmp_path).certificate)).current()
    assert (context.verify_mode, context.check_hostname) == (verifies, names)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_only_the_given_authorities_are_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (trusted,) = server_context(TlsPolicy(ServerTls.VERIFY_CA, authority.certificate)).current().get_ca_certs(True)
    assert trusted == ssl.PEM_cert_to_DER_cert(authority.certificate.read_text())


def test_a_policy_has_one_context(tmp_path: Path) -> None:
    pair = Authority(tmp_path).named("proxy")
    policy = TlsPolicy(ServerTls.REQUIRED, None, pair.certificate, pair.key)
    assert server_context(policy) is server_context(TlsPolicy(ServerTls.REQUIRED, None, pair.certificate, pair.key))


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    for policy in (
        TlsPolicy(ServerTls.VERIFY_CA, tmp_path / "none.pem"),
        TlsPolicy(ServerTls.REQUIRED, None, tmp_path / "none.pem"),
    ):
        with pytest.raises(ConfigError, match=r"none\.pem"):
            server_context(policy)


def test_which_policies_require_it() -> None:
    assert [mode for mode in ServerTls if TlsPolicy(mode).required] == [
        ServerTls.REQUIRED,
        ServerTls.VERIFY_CA,
        ServerTls.VERIFY_FULL,
    ]
