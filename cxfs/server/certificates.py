"""A certificate authority of this directory's own, and the server's certificate by it. For `DIR/tls`; opens no socket.

Clients trust `DIR/tls/ca.pem`. The keys are readable by their owner only. What is near its end is made anew: the
server's certificate silently, the authority too, but its users then have to fetch `ca.pem` again.
"""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

AUTHORITY_DAYS: Final = 3_650
SERVER_DAYS: Final = 397
"""The longest that browsers accept."""
RENEWAL_DAYS: Final = 30
CLOCK_SKEW: Final = timedelta(hours=1)
"""Certificates begin this much before now, for clients whose clock is behind."""

_ALWAYS: Final = ("localhost", "127.0.0.1", "::1")


class Certificates(NamedTuple):
    """Files for the server, and the one for its clients."""

    authority: Path
    certificate: Path
    key: Path


class _Signed(NamedTuple):
    certificate: x509.Certificate
    key: EllipticCurvePrivateKey


def ensure_certificates(folder: Path, names: Iterable[str], *, now: datetime | None = None) -> Certificates:
    """Makes what is missing, near its end, or does not cover all names (host names and IP addresses)."""
    now = now or datetime.now(UTC)
    folder.mkdir(mode=0o700, exist_ok=True)
    files = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    authority = _load(files.authority, folder / "ca.key", now)
    if authority is None:
        authority = _make_authority(now)
        _save(files.authority, folder / "ca.key", authority)
    wanted = {_general_name(name) for name in (*_ALWAYS, socket.gethostname(), *names)}
    server = _load(files.certificate, files.key, now)
    if server is None or not _is_good(server.certificate, authority.certificate, wanted):
        _save(files.certificate, files.key, _make_server(authority, wanted, now))
    return files


def fingerprint_of(certificate: Path) -> str:
    """SHA-256, as browsers and openssl show it: `AB:CD:…`."""
    digest = x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(SHA256())
    return digest.hex(":").upper()


def _make_authority(now: datetime) -> _Signed:
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CX server on {socket.gethostname()}"[:64])])
    builder = (
        _builder(name, name, key, now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return _Signed(builder.sign(key, SHA256()), key)


def _make_server(authority: _Signed, names: set[x509.GeneralName], now: datetime) -> _Signed:
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        _builder(subject, authority.certificate.subject, key, now, SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName(sorted(names, key=repr)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    return _Signed(builder.sign(authority.key, SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode("ascii"))


def _is_good(server: x509.Certificate, authority: x509.Certificate, wanted: set[x509.GeneralName]) -> bool:
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    try:
        server.verify_directly_issued_by(authority)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, a new one is right
        return False
    return wanted <= set(names)


def _load(certificate: Path, key: Path, now: datetime) -> _Signed | None:
    """None for what is not there, not readable as such, not a pair, or near its end."""
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = load_pem_private_key(key.read_bytes(), None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(private, EllipticCurvePrivateKey) or private.public_key() != loaded.public_key():
        return None
    return None if loaded.not_valid_after_utc - now < timedelta(days=RENEWAL_DAYS) else _Signed(loaded, private)


def _save(certificate: Path, key: Path, signed: _Signed) -> None:
    """Key first. A crash between the two leaves a pair that does not fit, which `_load` takes for missing."""
    secret = signed.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for path, mode, text in ((key, 0o600, secret), (certificate, 0o644, signed.certificate.public_bytes(Encoding.PEM))):
        draft = path.with_name(path.name + ".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
