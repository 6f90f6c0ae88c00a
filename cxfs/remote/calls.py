"""A small request, and the failed attempts at it. Sends nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from cxfs.core.errors import TimedOut
from cxfs.remote.failures import CERTAINLY_NOT_DONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxfs.core.errors import CxfsError


@dataclass(frozen=True, slots=True)
class Call:
    """A small request on the api host, and whether doing it twice is the same as doing it once.

    Its body is a `form`, a `question` (a JSON object), or nothing.
    `in_background`: nobody waits for it, so it does not stand in the way of those that somebody does.
    """

    method: str
    resource: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    question: bytes | None = None
    may_be_done_twice: bool = True
    in_background: bool = False

    @property
    def kind(self) -> str:
        """The endpoint, without the path that it is asked of."""
        return "/".join(self.resource.split("/", 2)[:2])

    @property
    def body(self) -> tuple[str, bytes] | None:
        """Its type, and all of it."""
        if self.question is not None:
            return "application/json", self.question
        return None if self.form is None else ("application/x-www-form-urlencoded", urlencode(self.form).encode())


@dataclass(slots=True)
class Attempts:
    """The failed attempts at one call.

    `unheard`: of so many nothing was heard. `in_doubt`: the server may have carried one out all the same.
    `earlier_in_doubt`: one before the last, which is what makes the last one's complaint ("exists already", "not
    found") perhaps our own doing.
    """

    count: int = 0
    unheard: int = 0
    in_doubt: bool = False
    earlier_in_doubt: bool = False

    def failed(self, error: CxfsError) -> None:
        """Notes one failure. An answer that will not change was not in doubt."""
        self.count += 1
        self.unheard += isinstance(error, TimedOut)
        self.earlier_in_doubt = self.in_doubt
        self.in_doubt |= may_have_been_done(error)


def may_have_been_done(error: CxfsError) -> bool:
    """Whether the server may have carried out, or may yet, a request that ended so."""
    return error.transient and not isinstance(error, CERTAINLY_NOT_DONE)
