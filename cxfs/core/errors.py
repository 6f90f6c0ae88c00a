"""The only words for failure that cross a layer. Where they come from and what becomes of them is said elsewhere.

`remote/session` turns an HTTP status into one of these, once; `fuse/operations` turns one of these into an errno,
once. A message is one line for a person and never holds a URL with a query (the access token stands in it).
"""

from typing import ClassVar


class CxfsError(Exception):
    """A failure that cxfs knows. `transient` says whether the same call may succeed by itself later."""

    transient: ClassVar[bool] = False


class NotFound(CxfsError):
    """No such object, or one that this account may not know of."""


class AlreadyExists(CxfsError):
    """The name is taken."""


class NotEmpty(CxfsError):
    """The folder still holds something."""


class NotADirectory(CxfsError):
    """A file stands where a folder was needed."""


class IsADirectory(CxfsError):
    """A folder stands where a file was needed."""


class BadName(CxfsError):
    """A name or path that CX cannot hold."""


class NameTooLong(BadName):
    """A name over 255 characters for CX, or over 255 bytes for Linux."""


class BadRequest(CxfsError):
    """The server refused the request as malformed, for a reason it alone knows."""


class Denied(CxfsError):
    """The account lacks the permission."""


class ReadOnly(Denied):
    """The mount or the tree accepts no changes."""


class Misconfigured(CxfsError):
    """What the configuration names is of no use: only changing the configuration, or what it names, helps."""


class SignedOut(CxfsError):
    """The access token was refused; only signing in again helps."""


class SignInFailed(CxfsError):
    """A wrong turn on the way to an access token; the message says which, and what to do."""


class RefusedByPerson(SignInFailed):
    """Whoever was asked in the browser said no."""


class Suspended(Denied):
    """The account is suspended (CX error type `SuspendedAccount`)."""


class NoSpace(CxfsError):
    """The account's quota is used up."""


class DiskFull(CxfsError):
    """This machine's disk, or the limit set for our share of it, is used up."""


class ContentLost(CxfsError):
    """Cached content proved damaged, or is gone: it is to be fetched again."""

    transient = True


class TooLarge(CxfsError):
    """The file is larger than CX or this mount can hold."""


class VersionConflict(CxfsError):
    """The object is no longer at the version that the change began from."""


class NotSynced(CxfsError):
    """Something of a folder was refused, or went beside what somebody else has changed."""


class Stale(CxfsError):
    """The version that a handle reads is gone from the server."""


class NoAttribute(CxfsError):
    """The object has no extended attribute of that name."""


class AttributesFull(CxfsError):
    """The object can hold no more extended attributes."""


class ForeignAttribute(CxfsError):
    """CX has no extended attributes of that family (`system.*`, `security.*`), on no object."""


class Unsupported(CxfsError):
    """CX has nothing to express this with (hard links, devices)."""


class Invalid(CxfsError):
    """Arguments that contradict each other, such as moving a folder below itself."""


class AcrossTrees(CxfsError):
    """The server does not move things between the trees of two owners; copying may do."""


class Unreachable(CxfsError):
    """No answer: the connection was refused, broke, or failed its TLS check."""

    transient = True


class Offline(Unreachable):
    """The server could not be reached for a while, so it was not asked again. Nothing was sent."""


class Untrusted(Unreachable):
    """The server could not prove who it is. Later may be different (a captive portal), the next second is not."""


class TimedOut(Unreachable):
    """No answer within the deadline of the call."""


class Interrupted(CxfsError):
    """Whoever asked is about to end, and waits for the answer only because it must."""


class ServerTrouble(CxfsError):
    """The server failed at a request that was in order (5xx, and a 200 without a JSON object)."""

    transient = True


class BadReply(ServerTrouble):
    """The server answered something that the contract does not allow."""


class RateLimited(ServerTrouble):
    """The server asks for a pause (429, or 503 with `Retry-After`)."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def cause_of(error: BaseException) -> BaseException:
    """The one failure in a group, however many nurseries it came through; several stay a group."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
