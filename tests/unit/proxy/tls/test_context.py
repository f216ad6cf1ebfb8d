"""Which certificate clients meet: the given one, a kept one, or one of this run."""

import logging
import os
import ssl
import tempfile
from pathlib import Path

import pytest

from proxy.tls.context import client_facing
from proxy.tls.selfmade import CERTIFICATE_FILE, OfThisRun
from proxy.transport.tlsengine import TlsEngine
from tests.support.certificates import Authority, client_context
from topology.config import Settings
from topology.errors import ConfigError


def settings_of(**values: object) -> Settings:
    return Settings.model_validate(values)


def shown_by(context: ssl.SSLContext) -> bytes | None:
    server = TlsEngine(context, server_side=True)
    client = TlsEngine(client_context(), server_side=False)
    client.receive(b"")
    server.receive(client.outgoing())
    client.receive(server.outgoing())
    return client.peer_certificate()


def der(certificate: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.read_text())


def test_the_given_certificate_is_shown(tmp_path: Path) -> None:
    pair = Authority(tmp_path).named("server")
    settings = settings_of(tls_certificate=pair.certificate, tls_key=pair.key, state_directory=tmp_path / "state")
    assert shown_by(client_facing(settings, OfThisRun()).current()) == der(pair.certificate)
    assert not (tmp_path / "state").exists()


def test_a_kept_certificate_is_shown_again(tmp_path: Path) -> None:
    for _ in range(2):
        context = client_facing(settings_of(state_directory=tmp_path), OfThisRun()).current()
        assert shown_by(context) == der(tmp_path / CERTIFICATE_FILE)


@pytest.mark.parametrize("directory", [None, "file/state"])
def test_without_a_directory_it_is_made_for_the_run_and_said(
    tmp_path: Path, directory: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a directory")
    settings = settings_of(state_directory=tmp_path / directory if directory else None)
    with caplog.at_level(logging.WARNING):
        assert shown_by(client_facing(settings, OfThisRun()).current())
    assert "made for this run only" in caplog.text
    assert not directory or "cannot keep a certificate in" in caplog.text


def test_one_of_this_run_needs_no_disk_if_files_can_be_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose file system is read-only; these are Linux, which can."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none" if hasattr(os, "memfd_create") else tmp_path))
    assert shown_by(client_facing(settings_of(), OfThisRun()).current())


def test_one_of_this_run_leaves_no_file_behind_where_they_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert shown_by(client_facing(settings_of(), OfThisRun()).current())
    assert list(tmp_path.iterdir()) == []


def test_old_versions_of_tls_are_not_spoken(tmp_path: Path) -> None:
    context = client_facing(settings_of(state_directory=tmp_path), OfThisRun()).current()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_NONE


def test_clients_certificates_are_asked_for_but_not_required(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    settings = settings_of(state_directory=tmp_path, tls_client_ca=authority.certificate)
    assert client_facing(settings, OfThisRun()).current().verify_mode is ssl.CERT_OPTIONAL
    with pytest.raises(ConfigError, match="CA file"):
        client_facing(settings_of(state_directory=tmp_path, tls_client_ca=tmp_path / "none"), OfThisRun())


def test_a_certificate_of_this_run_lives_through_a_change_of_the_ca(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    contexts = client_facing(settings_of(tls_client_ca=authority.certificate), OfThisRun())
    before = shown_by(contexts.current())
    authority.certificate.write_bytes(Authority(tmp_path, "Another").certificate.read_bytes())
    contexts.look()
    assert shown_by(contexts.current()) == before


def test_processes_and_changes_of_the_settings_have_one_certificate_of_this_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = OfThisRun()
    shown = shown_by(client_facing(settings_of(), first).current())
    authority = Authority(tmp_path)
    for settings, of_this_run in (
        (settings_of(tls_client_ca=authority.certificate), first),
        (settings_of(), OfThisRun(first.pem)),
    ):
        assert shown_by(client_facing(settings, of_this_run).current()) == shown
    assert len(caplog.records) == 1
