"""What goes wrong, and for whom: `Refusal` for a request, `ServerError` for a person who hosts. Shows neither.

The name of a refusal's class is the `errorType` on the wire (docs/protocol.md, "Errors").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class ServerError(Exception):
    """What the person who hosts asked for cannot be done; the message is one line that says why."""


class Refusal(Exception):
    """A request that gets an error for its answer. The message is for a person and holds no secret."""

    status: ClassVar[int] = 400

    def __init__(self, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = headers

    @property
    def error_type(self) -> str:
        """The word for programs."""
        return type(self).__name__


class InvalidRequest(Refusal):
    """A parameter, header or body that cannot be understood."""


class InvalidPath(Refusal):
    """A path or name that CX cannot hold, or a target that makes no sense (a folder below itself)."""


class NameTooLong(Refusal):
    """A name over 255 characters."""


class BadAuthToken(Refusal):
    """No access token, or one that is not known (any more)."""

    status = 401


class InvalidClient(Refusal):
    """The token endpoint does not know this application, or not with this secret."""

    status = 401


class InvalidGrant(Refusal):
    """The code is unknown, used, expired, or was made for another application or redirect URI."""


class AccessDenied(Refusal):
    """The account may look but not do this."""

    status = 403


class SuspendedAccount(Refusal):
    """The account is suspended."""

    status = 403


class SignInRefused(Refusal):
    """Not this name with this password, or an account that may not sign in."""

    status = 403


class FormRefused(Refusal):
    """A form that did not come from a page of ours in this browser, or came too late."""

    status = 403


class NotFound(Refusal):
    """No such object, or none that this account may know of."""

    status = 404


class MethodNotAllowed(Refusal):
    """The address exists, but not for this HTTP method."""

    status = 405


class AlreadyExists(Refusal):
    """The name is taken."""

    status = 409


class NotEmpty(Refusal):
    """The folder still holds something."""

    status = 409


class NotADirectory(Refusal):
    """A file stands where a folder is needed."""

    status = 409


class IsADirectory(Refusal):
    """A folder stands where a file is needed."""

    status = 409


class VersionConflict(Refusal):
    """The object is not at the version that the request was made for."""

    status = 412


class RequestTooLarge(Refusal):
    """The body, or a field of it, is over its limit."""

    status = 413


class HeadersTooLarge(Refusal):
    """The request line and headers together are over their limit."""

    status = 431


class RangeNotSatisfiable(Refusal):
    """The range begins behind the end of the file."""

    status = 416


class RateLimited(Refusal):
    """Too often, or too many at once; `Retry-After` says when again."""

    status = 429

    def __init__(self, message: str, *, wait_s: int) -> None:
        super().__init__(message, headers={"Retry-After": str(wait_s)})


class Unavailable(Refusal):
    """The database or the place of contents does not answer, or not in time; `Retry-After` says when again."""

    status = 503

    def __init__(self, message: str, *, wait_s: int = 5) -> None:
        super().__init__(message, headers={"Retry-After": str(wait_s)})


class QuotaExceeded(Refusal):
    """The account's (or group's) storage is used up."""

    status = 507


class Internal(Refusal):
    """A bug of the server's."""

    status = 500
