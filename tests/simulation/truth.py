"""What may be read and what must not be lost, in the dumbest words: dicts by path. Asks nobody.

Every content is one of a kind and begins with tokens that no other has, so that whatever is read tells which write it
came from, and a mix of two is like none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.simulation.steps import FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NOTICED_S: Final = 45.0
"""After so long everybody sees what somebody else did: the metadata TTL, and what a listing may be on its way."""

CALM_S: Final = 180.0
"""After so long nothing that went wrong delays anything: the longest pauses, and deadlines that ran meanwhile."""


class Truth:
    """`due` are tokens that must be somewhere; `mine` is what a path must show that nobody else touched."""

    def __init__(self, wrongs: list[str]) -> None:
        self._wrongs = wrongs
        self._count = 0
        self._existed: set[bytes] = {b""}
        self.due: set[bytes] = set()
        self._mine: dict[str, bytes | None] = {}
        self._contested: set[str] = set()
        self._theirs: dict[str, tuple[float, bytes]] = {}
        self._replaced: dict[tuple[str, bytes], float] = {}
        self._late: set[bytes] = set()

    # ------------------------------------------------------------ what is written

    def token(self, who: str) -> bytes:
        """Like no other."""
        self._count += 1
        return f"<{who:.<6}{self._count:.>5}>".encode()  # all of one length: what patches one takes its very place

    def may_exist(self, content: bytes) -> bytes:
        """Somebody is about to write it."""
        self._existed.add(content)
        return content

    def replaced_knowingly(self, *contents: bytes) -> None:
        """Whoever replaced or deleted these had seen them."""
        self.due -= {token for token in self.due if any(token in content for content in contents)}

    # ------------------------------------------------------------ programs here

    def begins(self, *paths: str) -> dict[str, bytes | None]:
        """A program begins to change something there: until it has succeeded nobody knows. What was known before."""
        known = {path: self._mine[path] for path in self._mine if _is_at(path, paths)}
        for path in known:
            del self._mine[path]
        self.is_over(*paths)
        return known

    def is_over(self, *paths: str) -> None:
        """A program has ended that changed something there, perhaps after somebody else did."""
        self._theirs = {path: what for path, what in self._theirs.items() if not _is_at(path, paths)}

    def shows(self, path: str, content: bytes | None) -> None:
        """A program has succeeded: that is what the path has (None: nothing), unless somebody else interferes."""
        if path not in self._contested:
            self._mine[path] = content

    def knows(self, known: Mapping[str, bytes | None]) -> None:
        """The same of several."""
        for path, content in known.items():
            self.shows(path, content)

    def mingled(self, path: str, to: str) -> None:
        """What was done elsewhere to the one may come out at the other: it is about to be renamed."""
        for one, other in ((path, to), (to, path)):
            self._contested |= {other + each.removeprefix(one) for each in self._contested if is_in(each, one)}

    # ------------------------------------------------------------ somebody else

    def touched(self, *paths: str) -> None:
        """Somebody else changed something there: of what is below, also what it may become above, its folder gone."""
        below = [f"{path}/{name}" for path in paths for name in ("a", "b")]
        kept_above = ["a", "b"] if any(path in FOLDERS for path in paths) else []
        self.begins(*paths, *kept_above)
        self._contested.update(paths, below, kept_above)

    def put_elsewhere(self, path: str, content: bytes, former: Iterable[bytes], now: float) -> None:
        """Somebody else wrote this in place of what the server had there."""
        self.touched(path)
        self._theirs[path] = now, content
        self.gone_elsewhere(path, former, now)

    def gone_elsewhere(self, path: str, former: Iterable[bytes], now: float) -> None:
        """What the server had there is there no longer."""
        self._replaced |= {(path, content): now for content in former if content}

    def comes_late(self, body: bytes) -> None:
        """What is in it may be at the server twice: once more after somebody has deleted it there."""
        self._late |= {content for content in self._existed if content and content in body}

    # ------------------------------------------------------------ what is seen

    def saw(self, path: str, content: bytes | None, *, opened_at: float, last_trouble: float) -> None:
        """A program read all of a file that it opened at a time, or (None) was told that there is none."""
        if content is not None and content not in self._existed:
            self._wrongs.append(f"{path} is read as {short(content)}, which nobody wrote")
        if path in self._mine and content != self._mine[path]:
            self._wrongs.append(f"{path} is read as {short(content)} instead of {short(self._mine[path])}")
        if opened_at - last_trouble < CALM_S:
            return
        since, theirs = self._theirs.get(path, (opened_at, b""))
        if opened_at - since > NOTICED_S and content != theirs:
            self._wrongs.append(f"{path} is read as {short(content)}, long after it became {short(theirs)}")
        replaced_at = opened_at if content is None or content in self._late else self._replaced.get((path, content))
        if replaced_at is not None and opened_at - replaced_at > NOTICED_S:
            self._wrongs.append(f"{path} is read as {short(content)}, long after that was replaced")

    def saw_parts(self, path: str, first: bytes, second: bytes) -> None:
        """A program read a file in two parts."""
        if first + second not in self._existed:
            self._wrongs.append(f"{path} is read as {short(first)} and then {short(second)}: a mix")

    def missing(self, contents: Iterable[bytes]) -> list[str]:
        """What is due and in none of these."""
        everything = list(contents)
        return [f"{token!r} is nowhere" for token in sorted(self.due) if not any(token in c for c in everything)]


def _is_at(path: str, places: Iterable[str]) -> bool:
    """Whether one of the places is the path, above it or below it."""
    return any(is_in(path, place) or is_in(place, path) for place in places)


def is_in(path: str, place: str) -> bool:
    """Whether it is the place or below it."""
    return path == place or path.startswith(f"{place}/")


def content_of(token: bytes, size: int) -> bytes:
    """The token, as often as it takes."""
    return token * max(1, -(-size // len(token)))


def short(content: bytes | None) -> str:
    """To be read by a person."""
    return "nothing" if content is None else f"{content[:24]!r} ({len(content)} bytes)"
