"""The first contact with a server, before there is a token: whether it answers, and how it is to be trusted.

Sends no secret. What a server offers over an unverified connection is shown to a person, and used only when they agree.
"""

from __future__ import annotations

import hashlib
import ssl
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import BadReply, NotFound
from cxfs.remote.clients import client_maker
from cxfs.remote.endpoints import API_VERSION, AUTHORITY, CAPABILITIES
from cxfs.remote.lanes import Lane

if TYPE_CHECKING:
    from cxfs.remote.clients import MakeClient

ANSWER_S: Final = 15.0
CERTIFICATE_BYTES_MAX: Final = 64 << 10
"""An authority's certificate has one or two KiB."""


async def greet(make_client: MakeClient, api_url: str) -> None:
    """Returns when something at the address answers HTTP behind a certificate we trust, whatever it answers.

    Raises CertificateRefused, Unreachable.
    """
    await _fetch(make_client, f"{api_url}/{API_VERSION}/{CAPABILITIES}")


async def offered_authority(auth_url: str, *, user_agent: str, by_proxy: bool) -> str:
    """The certificate authority (PEM) that a server of one's own hands out [ours]; NotFound where it hands out none.

    Whoever is in between could hand out another: it proves nothing until a person has compared its fingerprint. This is
    the one connection that is not verified, since what would verify it is what it fetches.
    """
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    make_client = client_maker(
        connect_s=ANSWER_S, no_progress_s=ANSWER_S, user_agent=user_agent, by_proxy=by_proxy, verify=unverified
    )
    status, body = await _fetch(make_client, f"{auth_url}/{AUTHORITY}")
    if status != 200:
        raise NotFound("the server hands out no certificate authority")
    return _one_certificate(body)


async def _fetch(make_client: MakeClient, url: str) -> tuple[int, bytes]:
    lane = Lane(lambda: make_client(1), requests_max=1, no_progress_s=ANSWER_S)
    try:
        async with lane.exchange("GET", url, headers={"Accept": "*/*"}) as incoming:
            return incoming.status, await incoming.beginning(CERTIFICATE_BYTES_MAX)
    finally:
        await lane.aclose()


def _one_certificate(body: bytes) -> str:
    """Exactly one, so that what is shown is all that is trusted."""
    # Imported here: a tenth of a second, and only where somebody signs in for the first time.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    try:
        (certificate,) = x509.load_pem_x509_certificates(body)
    except ValueError:
        raise BadReply("the server hands out something else than one certificate") from None
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def fingerprint(pem: str) -> str:
    """SHA-256 of the certificate, as browsers and openssl show it: `AB:CD:…`."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
