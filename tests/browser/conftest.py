"""A real browser in front of a real server, and a person with an account who sits at both browser and terminal."""

from __future__ import annotations

import base64
import hashlib
import secrets
import shutil
from typing import TYPE_CHECKING, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from cxfs.server import administration
from tests.browser.person import Person
from tests.mounting import Mount, account_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

    from tests.mounting import CountingServer

QUIET: Final = (
    "--headless=new",
    "--no-sandbox",  # the tests run as root, where Chromium has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@pytest.fixture
def chrome(running_server: CountingServer, tmp_path: Path) -> Iterator[Chrome]:
    """Chromium, which trusts the server as if the person had imported its authority, and nothing else of ours."""
    options = webdriver.ChromeOptions()
    options.binary_location = _program("chromium")
    for word in (
        *QUIET,
        f"--user-data-dir={tmp_path / 'chromium'}",
        _trust_in(running_server.directory / "tls" / "server.pem"),
    ):
        options.add_argument(word)
    service = Service(executable_path=_program("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.implicitly_wait(10)
        yield driver
    finally:
        driver.quit()


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"{name} is missing: .ci/setup installs it"
    return found


def _trust_in(certificate_file: Path) -> str:
    """Chromium's flag for one more certificate, by the hash of its public key: it knows only what it is shown."""
    certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"--ignore-certificate-errors-spki-list={base64.b64encode(hashlib.sha256(key).digest()).decode()}"


@pytest.fixture
def person(running_server: CountingServer, chrome: Chrome, tmp_path: Path) -> Iterator[Person]:
    """Somebody with a password, at a desktop where cxfs has never been used."""
    name = f"person-{secrets.token_hex(4)}"
    password = f"correct horse {secrets.token_hex(4)}"
    with account_of(running_server, name) as account:
        with administration.open_store(running_server.directory) as store:
            administration.set_password(store, name, password)
            client = administration.add_app(store, f"cxfs of {name}", ["https://127.0.0.1/"])
        mount = Mount(account, tmp_path / "home", profile="default")
        try:
            yield Person(name, password, client, running_server, chrome, mount)
        finally:
            mount.end()
