"""The words after `-o`, as fstab and mount(8) write them, and sizes and times as people do. Mounts nothing.

libfuse refuses words that it does not know with "fuse_session_new() failed" and no more, so each word is translated
for the daemon, dropped because it changes nothing here, or refused by name.
"""

from __future__ import annotations

import grp
import pwd
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, TypedDict

import click

from cxfs.core.local_names import parse_patterns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem


class MountWords(TypedDict, total=False):
    """The fields of the daemon's MountOptions that were asked for; the others keep its defaults."""

    allow_other: bool
    read_only: bool
    no_exec: bool
    uid: int
    gid: int
    umask: int
    metadata_ttl_s: float
    negative_ttl_s: float
    feed_ttl_s: float
    metadata_deadline_s: float
    data_deadline_s: float
    cache_bytes_max: int
    draft_bytes_max: int
    uploads_max: int
    drain_timeout_s: float
    sync_remote: bool
    root: str
    groups: bool
    source: str
    notifications: bool
    local_only: tuple[str, ...]
    versions: bool


DROPPED: Final = frozenset(
    {
        # for mount(8), systemd and fsck, before or beside the mount itself
        *(
            "defaults",
            "auto",
            "noauto",
            "nofail",
            "_netdev",
            "user",
            "nouser",
            "users",
            "owner",
            "group",
            "dev",
            "suid",
        ),
        # in force whatever is asked: libfuse mounts nosuid and nodev, the kernel's answers come from caches of ours
        *("rw", "nosuid", "nodev", "async", "nonempty", "default_permissions"),
        # access times: CX has none, so every way to keep few of them is kept
        *("noatime", "relatime", "nodiratime", "lazytime"),
    }
)

DROPPED_BEGINNINGS: Final = ("x-", "X-", "comment=", "subtype=", "uhelper=")
"""For whoever reads fstab, and for umount(8); the type of the mount is ours."""

SIZE_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

SIZE_BYTES_MAX: Final = (1 << 63) - 1
"""What SQLite and the kernel can count."""

ID_MAX: Final = (1 << 32) - 2
"""The kernel's ids have 32 bits, and the last one means "none"."""


def parse_words(texts: Iterable[str]) -> MountWords:
    """All `-o` arguments together, the later word over the earlier; raises click.UsageError naming a word."""
    words = MountWords()
    for word in (word for text in texts for word in split_words(text)):
        if word in DROPPED or word.startswith(DROPPED_BEGINNINGS):
            continue
        name, equals, value = word.partition("=")
        if word in _FLAGS:
            field, setting = _FLAGS[word]
            words[field] = setting  # type: ignore[literal-required]  # the table names fields that are flags
        elif equals and name in _VALUED:
            field, parse = _VALUED[name]
            words[field] = _parsed(name, value, parse)  # type: ignore[literal-required]  # the table pairs field and type
        elif word == "remount":
            raise click.UsageError(
                "-o remount: a mount's options cannot be changed while it is mounted: umount it first"
            )
        else:
            known = ", ".join([*_FLAGS, *(f"{each}=" for each in _VALUED)])
            raise click.UsageError(
                f"-o {name}: no such mount option (there are {known}; fstab's own words are dropped)"
            )
    return words


def split_words(text: str) -> list[str]:
    r"""The words of one `-o` argument; a comma that belongs to a word is written `\,` as in fstab."""
    words = (re.sub(r"\\([,\\])", r"\1", word).strip() for word in re.findall(r"(?:[^,\\]|\\.?)+", text))
    return [word for word in words if word]


def is_known(word: str) -> bool:
    """Whether it is one of ours or of fstab's own, whatever its value."""
    name, equals, _ = word.partition("=")
    return (
        word in DROPPED or word.startswith(DROPPED_BEGINNINGS) or word in _FLAGS or (bool(equals) and name in _VALUED)
    )


def _parsed(name: str, value: str, parse: Callable[[str], object]) -> object:
    try:
        return parse(value)
    except ValueError as error:
        raise click.UsageError(f"-o {name}={value}: {error}") from error


def parse_size(text: str) -> int:
    """`10G`, `512M`, `1.5GiB`: bytes, by powers of 1024."""
    found = re.fullmatch(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(Fraction(found[1]) * SIZE_UNITS[found[2].upper()]) if found else SIZE_BYTES_MAX + 1
    if size > SIZE_BYTES_MAX:
        raise ValueError("expected a size such as 512M or 10G")
    return size


def parse_seconds(text: str) -> float:
    """`30`, `0.5`, `2m`, `1h`: seconds, not negative."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(s|m|h|d|)", text.strip(), re.IGNORECASE)
    if found is None:
        raise ValueError("expected a time such as 30, 0.5 or 2m")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2].lower()]


def parse_deadline(text: str) -> float:
    """The same, of at least one second: in less no server would ever answer."""
    seconds = parse_seconds(text)
    if seconds < 1:
        raise ValueError("expected at least one second")
    return seconds


def parse_count(text: str) -> int:
    """A number of at least one."""
    if re.fullmatch(r"[0-9]{1,9}", text) is None or int(text) < 1:
        raise ValueError("expected a number of at least 1")
    return int(text)


def _user(text: str) -> int:
    return _number_or(text, lambda name: pwd.getpwnam(name).pw_uid, "user")


def _group(text: str) -> int:
    return _number_or(text, lambda name: grp.getgrnam(name).gr_gid, "group")


def _number_or(text: str, find: Callable[[str], int], what: str) -> int:
    if re.fullmatch(r"[0-9]{1,10}", text) and int(text) <= ID_MAX:
        return int(text)
    try:
        return find(text)
    except (KeyError, ValueError):
        raise ValueError(f"no such {what} on this machine") from None


def _mask(text: str) -> int:
    if re.fullmatch(r"0?[0-7]{1,3}", text) is None:
        raise ValueError("expected an octal mask such as 022")
    return int(text, 8)


def parse_sync(text: str) -> bool:
    """`local` or `remote`: whether fsync and close wait for the server."""
    if text not in {"local", "remote"}:
        raise ValueError("expected local or remote")
    return text == "remote"


def _source(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("expected a name")
    return text


def _folder(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("expected a path in the account that begins with /")
    return text


_FLAGS: Final = {
    "ro": ("read_only", True),
    "sync": ("sync_remote", True),
    "noexec": ("no_exec", True),
    "exec": ("no_exec", False),
    "allow_other": ("allow_other", True),
    "groups": ("groups", True),
    "nogroups": ("groups", False),
    "notifications": ("notifications", True),
    "nonotifications": ("notifications", False),
    "versions": ("versions", True),
    "noversions": ("versions", False),
}

_VALUED: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    "uid": ("uid", _user),
    "gid": ("gid", _group),
    "umask": ("umask", _mask),
    "root": ("root", _folder),
    "fsname": ("source", _source),
    "metadata_ttl": ("metadata_ttl_s", parse_seconds),
    "negative_ttl": ("negative_ttl_s", parse_seconds),
    "feed_ttl": ("feed_ttl_s", parse_seconds),
    "metadata_deadline": ("metadata_deadline_s", parse_deadline),
    "data_deadline": ("data_deadline_s", parse_deadline),
    "cache_size": ("cache_bytes_max", parse_size),
    "draft_size": ("draft_bytes_max", parse_size),
    "uploads": ("uploads_max", parse_count),
    "drain_timeout": ("drain_timeout_s", parse_seconds),
    "sync": ("sync_remote", parse_sync),
    "local_only": ("local_only", parse_patterns),
}


class Measured(click.ParamType[object]):
    """A click option type made of one of the parsers above. `completes`: as what a shell completes it."""

    def __init__(self, name: str, parse: Callable[[str], object], *, completes: str | None = None) -> None:
        self.name = name
        self._parse = parse
        self._completes = completes

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """What the shell is asked to do by itself."""
        from click.shell_completion import CompletionItem

        return [] if self._completes is None else [CompletionItem(incomplete, type=self._completes)]

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """The parsed value, or click's error with ours in it."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self._refuse(f"{value}: {error}", param, ctx)

    def _refuse(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> NoReturn:
        self.fail(text, param, ctx)


SIZE: Final = Measured("size", parse_size)
SECONDS: Final = Measured("seconds", parse_seconds)
DEADLINE: Final = Measured("seconds", parse_deadline)
COUNT: Final = Measured("count", parse_count)
PATTERNS: Final = Measured("patterns", parse_patterns)
SYNC: Final = Measured("local|remote", parse_sync)
PLACE: Final = Measured("path", Path, completes="file")
"""A path that is not looked at: click's own type asks the file system, and would hang at a mount that hangs."""
