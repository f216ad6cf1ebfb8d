"""Contexts that follow their files, and what is said of files that cannot be used."""

import logging
import os
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.support.certificates import Authority, Pair
from topology.errors import ConfigError
from topology.tlsfiles import WatchedContext, load_authorities, load_certificate


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def server_side(certificate: Path, key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_certificate(context, certificate, key)
    return context


def watched(pair: Pair, clock: Clock) -> WatchedContext:
    files = [pair.certificate, pair.key]
    return WatchedContext("the certificate", files, lambda: server_side(pair.certificate, pair.key), clock)


def overwrite(target: Path, content: bytes) -> None:
    """As a deployment tool does: another file in the same place."""
    draft = target.with_suffix(".new")
    draft.write_bytes(content)
    os.replace(draft, target)


def test_changed_files_are_read_anew_at_most_once_a_second(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority, clock = Authority(tmp_path), Clock()
    pair, other = authority.named("server"), authority.named("other")
    contexts = watched(pair, clock)
    first = contexts.current()
    overwrite(pair.certificate, other.certificate.read_bytes())
    overwrite(pair.key, other.key.read_bytes())
    clock.now += 0.5
    assert contexts.current() is first
    clock.now += 0.6
    with caplog.at_level(logging.INFO):
        second = contexts.current()
    assert second is not first
    assert "the certificate changed and was read anew" in caplog.text
    clock.now += 10
    assert contexts.current() is second


def test_half_of_a_new_pair_keeps_the_old_one_until_the_other_half_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    pair, other = authority.named("server"), authority.named("other")
    contexts = watched(pair, Clock())
    first = contexts.current()
    overwrite(pair.certificate, other.certificate.read_bytes())
    contexts.look()
    assert contexts.current() is first
    assert "stays in use" in caplog.text
    assert str(pair.certificate) in caplog.text
    caplog.clear()
    contexts.look()
    assert not caplog.text, "said once"
    overwrite(pair.key, other.key.read_bytes())
    contexts.look()
    assert contexts.current() is not first


@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_unreadable_files_keep_what_was_read_before(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    pair = Authority(tmp_path).named("server")
    contexts = watched(pair, Clock())
    first, good = contexts.current(), pair.certificate.read_bytes()
    pair.certificate.unlink() if content is None else overwrite(pair.certificate, content)
    contexts.look()
    assert contexts.current() is first
    assert "stays in use" in caplog.text
    overwrite(pair.certificate, good)
    contexts.look()
    assert contexts.current() is not first


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair, other = authority.named("server"), authority.named("other")
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("rubbish")
    for certificate, key, message in (
        (tmp_path / "none.pem", pair.key, r"cannot read the certificate .*none\.pem: No such file"),
        (pair.certificate, tmp_path / "none.key", r"cannot read the key .*none\.key"),
        (pair.certificate, other.key, "key values mismatch"),
        (rubbish, pair.key, "no certificate with its key is in"),
        (pair.certificate, None, "no certificate with its key is in"),
    ):
        with pytest.raises(ConfigError, match=message):
            server_side(certificate, key)
    for file, message in ((rubbish, "holds no CA certificate"), (tmp_path / "none", "cannot read the CA file")):
        with pytest.raises(ConfigError, match=message):
            load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), file)


def test_an_encrypted_key_is_refused_instead_of_asked_for(tmp_path: Path) -> None:
    pair = Authority(tmp_path).named("server")
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match="the key is encrypted"):
        server_side(pair.certificate, pair.key)


def test_certificate_and_key_may_share_a_file(tmp_path: Path) -> None:
    pair = Authority(tmp_path).named("server")
    both = tmp_path / "both.pem"
    both.write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
    server_side(both, None)
