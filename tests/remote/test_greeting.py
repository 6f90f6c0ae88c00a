"""What a server offers as its authority, before it is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from cxfs.core.errors import BadReply
from cxfs.remote import greeting
from cxfs.server.certificates import ensure_certificates

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pem(tmp_path: Path) -> bytes:
    return ensure_certificates(tmp_path / "tls", []).authority.read_bytes()


def test_a_certificate_is_taken_as_it_is(pem: bytes) -> None:
    """What stands around it is not: comments in a PEM file can say anything."""
    assert greeting._one_certificate(b"# trust me\n" + pem + b"# really\n") == pem.decode()


def test_its_fingerprint_is_the_one_that_others_show(pem: bytes) -> None:
    """Or it could not be compared."""
    shown = greeting.fingerprint(pem.decode())

    assert shown == x509.load_pem_x509_certificate(pem).fingerprint(SHA256()).hex(":").upper()


def test_of_two_certificates_none_is_taken(pem: bytes) -> None:
    """One would be shown, and both would be trusted."""
    with pytest.raises(BadReply, match="something else than one certificate"):
        greeting._one_certificate(pem + pem)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>not found</html>",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----",
        b"\xff\xfe",
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    """In one line."""
    with pytest.raises(BadReply, match="something else than"):
        greeting._one_certificate(body)
