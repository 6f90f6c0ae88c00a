"""How a handler answers, whatever happens in it: by its deadline, and with an errno. Knows no handler.

Our error becomes errno here, once. Only FUSEError may leave a handler, beside a wish to end it: pyfuse3 would end the
mount at anything else.
"""

from __future__ import annotations

import errno
import functools
import logging
import sqlite3
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

import trio
from pyfuse3 import FUSEError

from cxfs.core import errors
from cxfs.core.errors import CxfsError, cause_of
from cxfs.fs.supervisor import parted, report

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from cxfs.fuse.callers import Callers

log = logging.getLogger(__name__)

ERRNO: Final[dict[type[BaseException], int]] = {
    errors.NotFound: errno.ENOENT,
    errors.AlreadyExists: errno.EEXIST,
    errors.NotEmpty: errno.ENOTEMPTY,
    errors.NotADirectory: errno.ENOTDIR,
    errors.IsADirectory: errno.EISDIR,
    errors.BadName: errno.EINVAL,
    errors.NameTooLong: errno.ENAMETOOLONG,
    errors.BadRequest: errno.EINVAL,
    errors.Denied: errno.EACCES,
    errors.ReadOnly: errno.EROFS,
    errors.SignedOut: errno.EACCES,
    errors.NoSpace: errno.EDQUOT,
    errors.DiskFull: errno.ENOSPC,
    errors.TooLarge: errno.EFBIG,
    errors.VersionConflict: errno.ESTALE,
    errors.Stale: errno.ESTALE,
    errors.NoAttribute: errno.ENODATA,
    errors.AttributesFull: errno.ENOSPC,
    errors.ForeignAttribute: errno.EOPNOTSUPP,  # after which ls(1) asks for no other file's
    errors.Unsupported: errno.EPERM,
    errors.Invalid: errno.EINVAL,
    errors.Interrupted: errno.EINTR,
    errors.AcrossTrees: errno.EXDEV,  # mv(1) copies then, as between two file systems
    errors.Unreachable: errno.EIO,
    errors.Offline: errno.EHOSTUNREACH,
    errors.TimedOut: errno.ETIMEDOUT,
    trio.TooSlowError: errno.ETIMEDOUT,
    MemoryError: errno.ENOMEM,
    BaseException: errno.EIO,
}
"""What each kind of failure is to a program. The kinds not named here are the nearest kind above them."""

METADATA: Final = "metadata_deadline_s"

_OF_THIS_MACHINE: Final = {
    errno.ENOSPC: errno.ENOSPC,
    errno.EDQUOT: errno.ENOSPC,  # EDQUOT is the account's quota, this one is that of a user here
    errno.EROFS: errno.EROFS,
    errno.EMFILE: errno.ENFILE,  # EMFILE would say that the program itself has too many
    errno.ENFILE: errno.ENFILE,
    errno.ENOMEM: errno.ENOMEM,
}
"""What a failure of our own files is to a program. Any other is EIO: their ENOENT would say that its file is gone."""

_OF_THE_JOURNAL: Final = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_READONLY: errno.EROFS}

P = ParamSpec("P")
T = TypeVar("T")


class HasDeadlines(Protocol):
    """What the decorator needs of its object."""

    metadata_deadline_s: float
    data_deadline_s: float
    callers: Callers


S = TypeVar("S", bound=HasDeadlines)


def errno_of(error: BaseException) -> int:
    """The errno of a failure: its own, or that of the nearest kind above it; or this machine's, which is behind."""
    if isinstance(error, FUSEError):
        return error.errno
    behind = error.__cause__ if isinstance(error, errors.DiskFull) else error
    if isinstance(behind, OSError):
        return _OF_THIS_MACHINE.get(behind.errno or 0, errno.EIO)
    if isinstance(behind, sqlite3.Error):
        code = getattr(behind, "sqlite_errorcode", 0) & 0xFF  # without what refines it
        return _OF_THE_JOURNAL.get(code, errno.EIO)
    return next(ERRNO[kind] for kind in type(error).__mro__ if kind in ERRNO)


def answers(
    deadline: str | None,
) -> Callable[
    [Callable[Concatenate[S, P], Coroutine[Any, Any, T]]], Callable[Concatenate[S, P], Coroutine[Any, Any, T]]
]:
    """Makes a handler answer by its deadline, and with an errno where it fails. A bug is logged and is EIO.

    Who asks is told by the handler's last argument, where that is the kernel's context. None is for one that waits for
    nothing, or keeps to a deadline of its own: a deadline costs more than some calls.
    """

    def decorate(
        handler: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
    ) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
        @functools.wraps(handler)
        async def wrapper(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
            try:
                if deadline is None:
                    return await handler(self, *args, **kwargs)
                pid = getattr(args[-1], "pid", 0)
                with self.callers.waiting(getattr(self, deadline), pid, asks=deadline == METADATA):
                    return await handler(self, *args, **kwargs)
            except FUSEError:
                raise
            except BaseException as error:
                wish, fault = parted(error)
                if fault is None:
                    raise
                code = _reported(handler.__name__, cause_of(fault))
                raise wish or FUSEError(code) from error

        return wrapper

    return decorate


def _reported(handler: str, fault: BaseException) -> int:
    """Its errno; a bug is logged with its traceback, what was foreseen is not worth a line."""
    if isinstance(fault, (CxfsError, FUSEError, trio.TooSlowError)):
        log.debug("%s: %s: %s", handler, type(fault).__name__, fault)
    else:
        report(fault, "a bug in %s", handler)
    return errno_of(fault)


metadata = answers(METADATA)
data = answers("data_deadline_s")
patient = answers(None)
prompt = answers(None)
