"""What is said over a control socket: one JSON object a line, in UTF-8. Opens no socket and knows no verb.

    asked      {"cxfs": 1, "verb": "sync", "arguments": {"path": "a/b"}}
    answered   {"cxfs": 1, "progress": {…}}    as often as there is news
               {"cxfs": 1, "done": {…}}        once, or instead of it
               {"cxfs": 1, "error": "one line for a person", "kind": "refused"}

The next request may follow on the same connection. Both sides say their version; an unknown key is ignored, so that a
later version can add some, and only a change that breaks this one gets another number.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = 1

REQUEST_BYTES_MAX: Final = 1 << 20
"""Some thousand ids. What is longer is no request of ours, and is not read to its end."""

ANSWER_BYTES_MAX: Final = 16 << 20
"""Answers come in portions far below this; a daemon that sends more is no daemon of ours."""


class Kind(StrEnum):
    """Whose fault an error is."""

    GARBAGE = "garbage"
    """Not a request at all; the connection is closed."""
    VERSION = "version"
    """Another cxfs: restart the mount, or use the program that made it."""
    UNKNOWN = "unknown"
    """No such verb."""
    ARGUMENTS = "arguments"
    """The verb has no such argument, or not of this type."""
    BUSY = "busy"
    """Too many ask at a time."""
    STRANGER = "stranger"
    """Another user's program."""
    REFUSED = "refused"
    """The mount cannot or will not, for the reason given."""
    FAULT = "fault"
    """A bug in the daemon; its log has the traceback."""


class RequestError(CxfsError):
    """A request that cannot be answered as it stands."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Arguments:
    """A request's arguments, each taken by its type; what is left over at the end was misspelt."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = dict(values)

    def text(self, name: str) -> str | None:
        """A string, None where it is absent or null."""
        value = self._values.pop(name, None)
        if value is None or isinstance(value, str):
            return value
        raise RequestError(Kind.ARGUMENTS, f"{name}: expected a string")

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of strings, None where it is absent or null."""
        value = self._values.pop(name, None)
        if value is None:
            return None
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        raise RequestError(Kind.ARGUMENTS, f"{name}: expected a list of strings")

    def number(self, name: str) -> int | None:
        """A whole number, None where it is absent or null."""
        value = self._values.pop(name, None)
        if value is None or type(value) is int:  # bool is an int too
            return value
        raise RequestError(Kind.ARGUMENTS, f"{name}: expected a whole number")

    def flag(self, name: str) -> bool:
        """Whether it is true; false where it is absent or null."""
        value = self._values.pop(name, None)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise RequestError(Kind.ARGUMENTS, f"{name}: expected true or false")

    def end(self) -> None:
        """Raises RequestError when there are arguments that nobody took."""
        if self._values:
            raise RequestError(Kind.ARGUMENTS, f"unknown arguments: {', '.join(sorted(self._values))[:200]}")


@dataclass(frozen=True, slots=True)
class Request:
    """A verb and what goes with it."""

    verb: str
    arguments: Mapping[str, object] = field(default_factory=dict)

    def line(self) -> bytes:
        """As it is sent."""
        return _line({"verb": self.verb, "arguments": self.arguments})

    @classmethod
    def parse(cls, line: bytes) -> Request:
        """The request in a line; raises RequestError that says what is wrong with it."""
        said = _object(line)
        if said is None:
            raise RequestError(Kind.GARBAGE, "not a request: one JSON object a line is expected")
        if said.get("cxfs") != VERSION:
            raise RequestError(
                Kind.VERSION,
                f"this mount speaks version {VERSION} of the control protocol, not {said.get('cxfs')!r:.40}",
            )
        verb, arguments = said.get("verb"), said.get("arguments", {})
        if not isinstance(verb, str) or not isinstance(arguments, dict):
            raise RequestError(Kind.GARBAGE, "not a request: verb must be a string, arguments an object")
        return cls(verb, arguments)


@dataclass(frozen=True, slots=True)
class Progress:
    """News of something that goes on."""

    news: Mapping[str, object]

    def line(self) -> bytes:
        """As it is sent."""
        return _line({"progress": self.news})


@dataclass(frozen=True, slots=True)
class Done:
    """The end that was asked for."""

    result: Mapping[str, object]

    def line(self) -> bytes:
        """As it is sent."""
        return _line({"done": self.result})


@dataclass(frozen=True, slots=True)
class Failure:
    """The end, otherwise. `kind` stays a string: a newer daemon may have more of them."""

    kind: str
    message: str

    def line(self) -> bytes:
        """As it is sent."""
        return _line({"error": self.message, "kind": self.kind})


Answer = Progress | Done | Failure


def parse_answer(line: bytes) -> Answer | None:
    """The answer in a line; None for what no daemon of ours says."""
    said = _object(line)
    if said is None:
        return None
    match said:
        case {"error": str(message), "kind": str(kind)}:  # of any version: that it is another one may be what it says
            return Failure(kind, message)
        case {"cxfs": 1, "progress": dict(news)}:
            return Progress(news)
        case {"cxfs": 1, "done": dict(result)}:
            return Done(result)
    return None


def _line(said: Mapping[str, object]) -> bytes:
    # In ASCII: a name that is not UTF-8 arrives here with lone surrogates, which only an escape can carry.
    return json.dumps({"cxfs": VERSION, **said}, separators=(",", ":")).encode("ascii") + b"\n"


def _object(line: bytes) -> dict[str, object] | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
