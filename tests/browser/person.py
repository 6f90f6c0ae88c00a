"""A person between a terminal and a browser: types commands in the one, fills in forms in the other."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import ssl
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium.webdriver import Chrome

    from tests.mounting import CountingServer, Mount

WAIT_S: Final = 20.0

OPENER: Final = "import os, sys; os.write(os.open(sys.argv[1], os.O_WRONLY), sys.argv[2].encode())"
"""What `$BROWSER` is: hands the address to the test, through a FIFO."""


@dataclass(frozen=True)
class Login:
    """`cxfs login` while it waits for the browser, and the address that it opened."""

    process: subprocess.Popen[str]
    address: str

    def ended(self) -> tuple[int, str, str]:
        """Status, and all that it said."""
        out, err = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, out, err


@dataclass(frozen=True)
class Person:
    """`client` is how cxfs is registered at the server: id and secret."""

    name: str
    password: str
    client: tuple[str, str]
    server: CountingServer
    chrome: Chrome
    mount: Mount

    # -------------------------------------------------------------------------------------------- the terminal

    @contextlib.contextmanager
    def login(self) -> Iterator[Login]:
        """`cxfs login` at a desktop, up to the moment when the browser has been opened."""
        fifo = self.mount.home / "opened"
        with contextlib.suppress(FileExistsError):
            os.mkfifo(fifo)
        opener = shlex.join([sys.executable, "-c", OPENER, str(fifo)])
        environment = self.mount.environment | {
            "DISPLAY": ":7", "BROWSER": f"{opener} %s", "CXFS_CLIENT_ID": self.client[0],
            "CXFS_CLIENT_SECRET": self.client[1], "CXFS_DEBUG": "1",
        }  # fmt: skip
        words = ["login", "--server", self.server.url, "--ca-fingerprint", self._fingerprint()]
        with subprocess.Popen(
            [sys.executable, "-m", "cxfs", *words], cwd=self.mount.home, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            try:
                yield Login(process, fifo.read_text(encoding="ascii"))
            finally:
                process.kill()

    def _fingerprint(self) -> str:
        pem = self.server.ca_file.read_text(encoding="ascii")
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()

    # -------------------------------------------------------------------------------------------- the browser

    def goes_to(self, address: str) -> None:
        """Types an address."""
        self.chrome.get(address if "://" in address else f"{self.server.url}{address}")

    def signs_in(self, password: str | None = None) -> None:
        """At the page where one does."""
        name = self.chrome.find_element(By.ID, "name")
        name.clear()
        name.send_keys(self.name)
        self.chrome.find_element(By.ID, "password").send_keys(self.password if password is None else password)
        self.presses("submit")

    def presses(self, button: str) -> None:
        """A button by its id; returns when another page is there."""
        page = self.chrome.find_element(By.TAG_NAME, "html")
        self.chrome.find_element(By.ID, button).click()
        self.waits_for(lambda: page.id != self.chrome.find_element(By.TAG_NAME, "html").id)

    def goes_past_the_warning(self) -> None:
        """Of a certificate that the browser does not know: ours, at the loopback address."""
        self.waits_for(lambda: "Privacy error" in self.chrome.title)
        self.chrome.find_element(By.ID, "details-button").click()
        self.chrome.find_element(By.ID, "proceed-link").click()

    def waits_for(self, condition: Callable[[], bool]) -> None:
        """Fails when it does not come true."""
        WebDriverWait(self.chrome, WAIT_S, ignored_exceptions=(Exception,)).until(lambda _: condition())

    def reads(self, element: str = "main") -> str:
        """The text of an element by its id."""
        return self.chrome.find_element(By.ID, element).text
