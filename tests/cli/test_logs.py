"""What a daemon logs, and what it must not."""

from __future__ import annotations

import logging
import stat
from typing import TYPE_CHECKING

import pytest

from cxfs.cli import logs
from cxfs.remote.redaction import KnownSecrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.terminal import Terminal

TOKEN = "s3cret-token-of-a-person"


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """A log of a daemon with that token; logging is as before afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("debug", tmp_path / "state/cxfs.log", KnownSecrets(TOKEN))
    try:
        yield tmp_path / "state/cxfs.log"
    finally:
        for handler in list(root.handlers):
            root.removeHandler(handler)
            handler.close()
        for handler in handlers:
            root.addHandler(handler)
        root.setLevel(level)


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"GET https://cx.example.org/1/users/self?access_token={TOKEN}&x=1",
        "GET https://cx.example.org/1/users/self?access_token=of-somebody-else",
        f"{{'Authorization': 'Bearer {TOKEN}'}}",
    ],
)
def test_no_token_reaches_the_log(log_file: Path, text: str) -> None:
    """Ours by its text, others by their shape; in the message, in its arguments and in a traceback."""
    log = logging.getLogger("cxfs.anything")
    log.warning(text.replace("%", "%%"))
    log.warning("asked: %s", text)
    log.error("failed", exc_info=ValueError(text))

    written = log_file.read_text(encoding="utf-8")

    assert TOKEN not in written
    assert "of-somebody-else" not in written
    assert len(written.splitlines()) >= 4


def test_the_http_libraries_are_quiet_even_when_debugging(log_file: Path) -> None:
    """They log whole addresses."""
    logging.getLogger("httpx").info("HTTP Request: GET /")
    logging.getLogger("httpcore.connection").debug("connect_tcp.started")

    assert log_file.read_text(encoding="utf-8") == ""


def test_the_log_is_the_persons_alone(log_file: Path) -> None:
    """It names their files."""
    assert stat.S_IMODE(log_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(log_file.parent.stat().st_mode) == 0o700


def test_a_log_that_cannot_be_written_is_said_at_once(terminal: Terminal) -> None:
    """Not after the terminal is left."""
    (terminal.home / "mnt").mkdir()
    (terminal.home / "file").touch()

    said = terminal.but(CXFS_ACCESS_TOKEN=TOKEN).cxfs("mount", "--log-file", "file/log", "mnt")

    assert said.status == 1
    assert "file" in said.line
