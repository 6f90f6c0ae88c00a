"""Every exit status of `cxfs`, and which failure ends in which: the only place that knows. Prints nothing.

Scripts and service units rely on these numbers, so a number once given is never given another meaning.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import click

from cxfs.control.client import ControlUnavailable, Overdue
from cxfs.core.errors import CxfsError, Misconfigured, ServerTrouble, SignedOut, SignInFailed, Suspended, Unreachable
from cxfs.credentials import CredentialsError
from cxfs.fuse.mounting import FuseMissing, MountPointTrouble
from cxfs.mounts import AlreadyMounted


class Exit(IntEnum):
    """The statuses by name."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    SIGNED_OUT = 4
    UNREACHABLE = 5
    NO_FUSE = 6
    MOUNT_POINT = 7
    UPLOADS_LEFT = 8
    NO_SERVER = 9
    ALREADY_MOUNTED = 10
    NOT_SYNCED = 11
    SET_APART = 12
    NOT_MOUNTED = 13
    BUG = 70
    INTERRUPTED = 130


MEANINGS: Final = {
    Exit.OK: "done",
    Exit.FAILED: "refused or failed, for the reason in the message",
    Exit.USAGE: "the command line is wrong",
    Exit.CONFIG: "the configuration is wrong",
    Exit.SIGNED_OUT: "no access token, or it was refused; signing in did not succeed",
    Exit.UNREACHABLE: "the server did not answer, or failed",
    Exit.NO_FUSE: "/dev/fuse, fusermount3 or the permission to mount is missing",
    Exit.MOUNT_POINT: "the mount point is missing, taken, busy or not mounted",
    Exit.UPLOADS_LEFT: "unmounted with uploads left; the next mount of the profile resumes them",
    Exit.NO_SERVER: "the server's packages are not installed",
    Exit.ALREADY_MOUNTED: "the profile is mounted already",
    Exit.NOT_SYNCED: "sync: not everything is at the server yet; it goes on",
    Exit.SET_APART: "sync: something was refused and is parked, or went beside what another client changed",
    Exit.NOT_MOUNTED: "no mount is running there, or it does not answer",
    Exit.BUG: "a fault in cxfs itself",
    Exit.INTERRUPTED: "interrupted (Ctrl-C)",
}


class ServerExtraMissing(CxfsError):
    """The packages of the server are not installed."""


class Refusal(Exception):
    """A failure as the person meets it: one line and an exit status."""

    def __init__(self, code: int, text: str) -> None:
        self.text = " ".join(text.split())
        super().__init__(self.text)
        self.code = code


_EXIT_OF: Final[dict[type[BaseException], Exit]] = {
    click.UsageError: Exit.USAGE,
    click.Abort: Exit.INTERRUPTED,
    Misconfigured: Exit.CONFIG,
    CredentialsError: Exit.SIGNED_OUT,
    SignedOut: Exit.SIGNED_OUT,
    SignInFailed: Exit.SIGNED_OUT,
    Suspended: Exit.SIGNED_OUT,
    Unreachable: Exit.UNREACHABLE,
    ServerTrouble: Exit.UNREACHABLE,
    FuseMissing: Exit.NO_FUSE,
    MountPointTrouble: Exit.MOUNT_POINT,
    AlreadyMounted: Exit.ALREADY_MOUNTED,
    ControlUnavailable: Exit.NOT_MOUNTED,
    Overdue: Exit.NOT_SYNCED,
    ServerExtraMissing: Exit.NO_SERVER,
    CxfsError: Exit.FAILED,
    click.ClickException: Exit.FAILED,
    OSError: Exit.FAILED,
    Exception: Exit.BUG,
}


def refusal_of(error: BaseException) -> Refusal:
    """The line and the status that this failure ends in. The line never shows what an unknown error holds."""
    if isinstance(error, Refusal):
        return error
    code = next((_EXIT_OF[kind] for kind in type(error).__mro__ if kind in _EXIT_OF), Exit.BUG)
    return Refusal(code, _text_of(error, code))


def help_instead_of(error: BaseException) -> str | None:
    """The help page of a group that was called without a command, which says more than a line would."""
    return error.format_message() if isinstance(error, click.exceptions.NoArgsIsHelpError) else None


def _text_of(error: BaseException, code: Exit) -> str:
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "cxfs"
        return f"{error.format_message().rstrip('.')} (see {command} --help)"
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, click.Abort):
        return "interrupted"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if code is Exit.BUG or not str(error):
        return f"unexpected {type(error).__name__}: a fault in cxfs; CXFS_DEBUG=1 shows where"
    return str(error)
