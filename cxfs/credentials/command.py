"""A token out of the person's own program, a password manager mostly. Keeps and shows nothing of what it says."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import subprocess
import time
from typing import TYPE_CHECKING, Final

from cxfs.credentials.secret import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND_DEADLINE_S: Final = 60.0
"""Long enough to type a passphrase into the program's own window, short enough for a service to notice."""

OUTPUT_BYTES_MAX: Final = 64 << 10
"""What is read of its output in search of one line."""


def printed_by(command: str, deadline_s: float) -> str:
    """What the command prints, run without a shell. What it says on stderr is dropped: it may quote the secret.

    Raises CredentialsError.
    """
    try:
        words = shlex.split(command)
        program = words[0]
    except (ValueError, IndexError) as error:
        raise CredentialsError("token_command: cannot be split into words: check its quotes") from error
    try:
        process = subprocess.Popen(  # noqa: S603  # the person's own command, from the person's own file, no shell
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise CredentialsError(f"token_command: {program}: {error.strerror}") from error
    with _ended(process):
        text = _output_of(process, program, time.monotonic() + deadline_s)
        if process.returncode:
            raise CredentialsError(
                f"token_command: {program} ended with status {process.returncode}: run it by hand to see why"
            )
        return text


def _output_of(process: subprocess.Popen[bytes], program: str, deadline: float) -> str:
    """All it prints until it ends, within the limits of size and time."""
    assert process.stdout is not None
    output = b""
    news = select.poll()  # not select(), which a mount with a thousand open files has outgrown
    news.register(process.stdout, select.POLLIN)
    while True:
        if not news.poll(max(0.0, deadline - time.monotonic()) * 1_000):
            raise CredentialsError(f"token_command: {program} did not end in time")
        piece = os.read(process.stdout.fileno(), 4096)
        output += piece
        if len(output) > OUTPUT_BYTES_MAX:
            raise CredentialsError(f"token_command: {program} prints more than an access token")
        if not piece:
            break
    try:
        process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise CredentialsError(f"token_command: {program} did not end in time") from None
    return output.decode("ascii", errors="replace")


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
