"""The directory's own certificate authority."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from cxfs.server.certificates import ensure_certificates

if TYPE_CHECKING:
    from pathlib import Path

TODAY = datetime(2030, 1, 1, tzinfo=UTC)


def names_in(certificate: Path) -> set[str]:
    """For which the certificate is good."""
    names = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return {str(name.value) for name in names.value}


def test_keys_are_their_owners_only(tmp_path: Path) -> None:
    """0600; the certificates are for everyone."""
    ensure_certificates(tmp_path / "tls", [])

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "tls").iterdir()}
    assert modes == {"ca.key": 0o600, "ca.pem": 0o644, "server.key": 0o600, "server.pem": 0o644}


def test_the_certificate_is_good_for_this_machine_and_the_names_asked(tmp_path: Path) -> None:
    """Host names and addresses; one that Python's TLS takes."""
    files = ensure_certificates(tmp_path / "tls", ["cx.example.org", "192.0.2.7", "bücher.example"])

    assert names_in(files.certificate) >= {
        "localhost",
        "127.0.0.1",
        str(ip_address("::1")),
        "cx.example.org",
        "192.0.2.7",
        "xn--bcher-kva.example",
    }
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)


def test_certificates_stay_while_they_are_good(tmp_path: Path) -> None:
    """A client that trusts the authority keeps trusting it."""
    files = ensure_certificates(tmp_path / "tls", ["a.example"], now=TODAY)
    before = [path.read_bytes() for path in files]

    ensure_certificates(tmp_path / "tls", ["a.example"], now=TODAY + timedelta(days=300))

    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize(
    ("names", "after_days", "renewed"),
    [
        (["b.example"], 0, {"server.pem", "server.key"}),
        ([], 370, {"server.pem", "server.key"}),
        ([], 3_640, {"server.pem", "server.key", "ca.pem"}),
    ],
)
def test_what_does_not_serve_any_more_is_made_anew(
    tmp_path: Path, names: list[str], after_days: int, renewed: set[str]
) -> None:
    """A new name, or an end within thirty days; the authority only for its own end."""
    files = ensure_certificates(tmp_path / "tls", [], now=TODAY)
    before = {path.name: path.read_bytes() for path in files}

    ensure_certificates(tmp_path / "tls", names, now=TODAY + timedelta(days=after_days))

    assert {path.name for path in files if path.read_bytes() != before[path.name]} == renewed


@pytest.mark.parametrize("damaged", ["ca.pem", "ca.key", "server.pem", "server.key"])
def test_a_pair_that_does_not_fit_is_made_anew(tmp_path: Path, damaged: str) -> None:
    """As after a crash between the writing of the two, or a restore of half a backup."""
    files = ensure_certificates(tmp_path / "tls", [])
    other = ensure_certificates(tmp_path / "other", [])
    (tmp_path / "tls" / damaged).write_bytes((other.key.parent / damaged).read_bytes())

    ensure_certificates(tmp_path / "tls", [])

    authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
    x509.load_pem_x509_certificate(files.certificate.read_bytes()).verify_directly_issued_by(authority)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)
