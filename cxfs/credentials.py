"""Where an access token comes from: the environment, a private file, or a command. Never shows it, never stores it.

The order is `CXFS_ACCESS_TOKEN`, then the profile's `token_file`, then its `token_command`; the first that is set
decides, and its failure is final: falling through to another source would sign in as somebody else unnoticed.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import select
import shlex
import stat
import subprocess
import time
from typing import TYPE_CHECKING, Final, NoReturn

from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

VARIABLE: Final = "CXFS_ACCESS_TOKEN"

COMMAND_DEADLINE_S: Final = 60.0
"""Long enough to type a passphrase into the program's own window, short enough for a service to notice."""

TOKEN_CHARACTERS_MAX: Final = 4096
"""It travels in a URL; servers refuse request lines beyond about 8 KiB."""

OUTPUT_BYTES_MAX: Final = 64 << 10
"""What is read of a file or of a command's output in search of one line."""


class CredentialsError(CxfsError):
    """No usable access token; the message names the source and the remedy, never the content."""


class AccessToken:
    """The secret that is sent with every request. Only `reveal()` shows it: no repr, no format, no pickle does."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def reveal(self) -> str:
        """The secret itself, for the request that needs it."""
        return self._secret

    def __repr__(self) -> str:
        return "AccessToken(hidden)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccessToken) and hmac.compare_digest(self._secret.encode(), other._secret.encode())

    def __hash__(self) -> int:
        return hash((AccessToken, self._secret))

    def __reduce__(self) -> NoReturn:
        raise TypeError("an access token is not pickled")


def find_token(
    *,
    token_file: Path | None,
    token_command: str | None,
    environ: Mapping[str, str] = os.environ,
    deadline_s: float = COMMAND_DEADLINE_S,
) -> AccessToken:
    """The token of a profile; raises CredentialsError, in one line."""
    if VARIABLE in environ:
        return _token(environ[VARIABLE], VARIABLE)
    if token_file is not None:
        return _token(_read_private(token_file), str(token_file))
    if token_command is not None:
        return _token(_first_line_of(token_command, deadline_s), "token_command")
    raise CredentialsError(f"no access token: set {VARIABLE}, or token_file or token_command in the profile")


def _token(text: str, source: str) -> AccessToken:
    lines = text.splitlines()
    secret = lines[0].strip() if lines else ""
    if not secret:
        raise CredentialsError(f"{source}: empty; an access token is expected on the first line")
    if len(secret) > TOKEN_CHARACTERS_MAX or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise CredentialsError(f"{source}: the first line is no access token (printable ASCII without spaces)")
    return AccessToken(secret)


def _read_private(path: Path) -> str:
    """The file's text, if nobody else can read it. Checked on the opened file, so that it cannot be swapped between."""
    try:
        # Not blocking: a FIFO put in its place must not hang the mount.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise CredentialsError(f"{path}: the token file cannot be read: {error.strerror}") from error
    try:
        _check_private(os.fstat(descriptor), path)
        return os.read(descriptor, OUTPUT_BYTES_MAX).decode("ascii", errors="replace")
    finally:
        os.close(descriptor)


def _check_private(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise CredentialsError(f"{path}: the token file is no regular file")
    if status.st_uid not in {os.geteuid(), 0}:
        raise CredentialsError(f"{path}: the token file belongs to another user: copy it and chmod 600 the copy")
    if status.st_mode & 0o077:
        raise CredentialsError(f"{path}: others can read the token file: chmod 600 {shlex.quote(str(path))}")


def _first_line_of(command: str, deadline_s: float) -> str:
    """Runs it without a shell; what it says on stderr is dropped, since it may quote the secret."""
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
    while True:
        readable, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
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
