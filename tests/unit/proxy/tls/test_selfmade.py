"""The certificate that the proxy makes when it was given none."""

import datetime
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from proxy.tls.selfmade import CERTIFICATE_FILE, KEY_FILE, kept_certificate, make_certificate, make_key
from proxy.transport.tlsengine import TlsEngine
from tests.support.certificates import client_context
from topology.errors import ConfigError

NOW = datetime.datetime.now(datetime.UTC)
NAMES = ("localhost", "127.0.0.1", "::1")


def kept(directory: Path, now: datetime.datetime = NOW) -> tuple[bytes, bytes]:
    certificate, key = kept_certificate(directory, NAMES, now)
    return certificate.read_bytes(), key.read_bytes()


def test_it_is_made_once_and_used_again(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "state"
    first = kept(directory)
    assert kept(directory) == first
    assert (directory / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700
    assert sorted(file.name for file in directory.iterdir()) == [CERTIFICATE_FILE, KEY_FILE]


def test_it_is_renewed_for_the_same_key_before_it_ends(tmp_path: Path) -> None:
    certificate, key = kept(tmp_path)
    assert kept(tmp_path, NOW + datetime.timedelta(days=3000)) == (certificate, key)
    renewed, same_key = kept(tmp_path, NOW + datetime.timedelta(days=3600))
    assert same_key == key
    assert renewed != certificate
    ends = x509.load_pem_x509_certificate(renewed).not_valid_after_utc
    assert ends > NOW + datetime.timedelta(days=7000)


def test_proxies_that_start_together_agree(tmp_path: Path) -> None:
    found: list[tuple[bytes, bytes]] = []
    threads = [threading.Thread(target=lambda: found.append(kept(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_client_that_trusts_it_can_verify_it_with_the_hosts_name(tmp_path: Path) -> None:
    kept(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / CERTIFICATE_FILE, tmp_path / KEY_FILE)
    for name in NAMES:
        server = TlsEngine(context, server_side=True)
        trusting = client_context(tmp_path / CERTIFICATE_FILE, hostname=True)
        client = TlsEngine(trusting, server_side=False, server_hostname=name)
        client.receive(b"")
        server.receive(client.outgoing())
        client.receive(server.outgoing())
        assert client.ready


def test_files_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    for name, content in ((KEY_FILE, b"rubbish"), (CERTIFICATE_FILE, b"rubbish")):
        directory = tmp_path / name
        directory.mkdir()
        (directory / name).write_bytes(content)
        with pytest.raises(ConfigError, match="not what the proxy has made"):
            kept(directory)
        assert (directory / name).read_bytes() == content


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(OSError, match="file"):
        kept(tmp_path / "file")


def test_names_become_addresses_or_host_names() -> None:
    certificate = x509.load_pem_x509_certificate(make_certificate(make_key(), ("db.example", "10.0.0.1"), NOW))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["db.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    assert certificate.version is x509.Version.v3
