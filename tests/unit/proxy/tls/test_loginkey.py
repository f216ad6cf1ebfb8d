"""The RSA key for passwords: kept, or one of this run."""

import logging
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from proxy.tls.loginkey import PRIVATE_FILE, PUBLIC_FILE, login_key
from proxy.wire.rsakey import RsaKey, encrypt_password
from topology.config import Settings
from topology.errors import ConfigError

NONCE = bytes(range(20))


def settings_of(directory: Path | None) -> Settings:
    return Settings.model_validate({"state_directory": directory})


def test_it_is_made_once_and_used_again(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "state"
    first = login_key(settings_of(directory))
    sent = encrypt_password(b"secret", NONCE, (directory / PUBLIC_FILE).read_bytes())
    assert login_key(settings_of(directory)).decrypt_password(sent, NONCE) == b"secret"
    assert first.decrypt_password(sent, NONCE) == b"secret"
    assert (directory / PRIVATE_FILE).stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700
    assert sorted(file.name for file in directory.iterdir()) == [PRIVATE_FILE, PUBLIC_FILE]


def test_the_key_of_a_server_can_be_put_there(tmp_path: Path) -> None:
    """As MySQL writes it; the public one follows."""
    login_key(settings_of(tmp_path))
    theirs = rsa.generate_private_key(65537, 2048)
    layout = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL)
    (tmp_path / PRIVATE_FILE).write_bytes(theirs.private_bytes(*layout, serialization.NoEncryption()))
    key = login_key(settings_of(tmp_path))
    assert (tmp_path / PUBLIC_FILE).read_bytes() == key.public_pem
    assert key.decrypt_password(encrypt_password(b"secret", NONCE, key.public_pem), NONCE) == b"secret"


@pytest.mark.parametrize("directory", [None, "file/state"])
def test_without_a_directory_it_is_one_of_this_run(
    tmp_path: Path, directory: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a directory")
    with caplog.at_level(logging.WARNING):
        key = login_key(settings_of(tmp_path / directory if directory else None))
    assert key.decrypt_password(encrypt_password(b"secret", NONCE, key.public_pem), NONCE) == b"secret"
    assert ("cannot keep the RSA key in" in caplog.text) is (directory is not None)


def test_what_is_no_key_is_named_and_left(tmp_path: Path) -> None:
    (tmp_path / PRIVATE_FILE).write_text("nonsense")
    with pytest.raises(ConfigError, match=r"private_key\.pem cannot be used: no private key in PEM") as refused:
        login_key(settings_of(tmp_path))
    assert "delete it" in str(refused.value)
    assert (tmp_path / PRIVATE_FILE).read_text() == "nonsense"


def test_processes_share_it_by_its_pem() -> None:
    key = RsaKey()
    assert RsaKey(key.private_pem).public_pem == key.public_pem


def test_keys_of_another_kind_are_refused() -> None:
    larger = rsa.generate_private_key(65537, 3072)
    layout = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    with pytest.raises(ValueError, match="no RSA key of 2048 bits"):
        RsaKey(larger.private_bytes(*layout, serialization.NoEncryption()))
    locked = larger.private_bytes(*layout, serialization.BestAvailableEncryption(b"x"))
    with pytest.raises(ValueError, match="without a password"):
        RsaKey(locked)
