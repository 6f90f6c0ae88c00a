"""Which mount a command speaks of: that of a path in it, of a profile, or the only one. Asks no daemon."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cxfs import config, mounts
from cxfs.control.client import SILENCE_S, ControlClient, ControlUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class NoSuchMount(ControlUnavailable):
    """Nothing is mounted there, or there are several and it was not said which."""


@dataclass(frozen=True, slots=True)
class ChosenMount:
    """A mount of ours, running or not. `record` is what its last daemon said of itself."""

    state_folder: Path
    record: mounts.MountRecord | None

    @property
    def profile(self) -> str:
        """Whose it is."""
        return self.state_folder.name

    @property
    def is_running(self) -> bool:
        """Whether its daemon runs, mounted or draining."""
        return mounts.is_held(self.state_folder)

    def connect(self, *, silence_s: float = SILENCE_S) -> ControlClient:
        """A connection to its daemon; raises ControlUnavailable."""
        if self.record is None or self.record.control is None or not self.is_running:
            raise ControlUnavailable(f"{self.profile} is not mounted")
        return ControlClient(self.record.control, silence_s=silence_s)

    def shown(self, path: str) -> str:
        """A path below the mount as a person would name it."""
        if self.record is None or ":" in path.partition("/")[0]:
            return path
        return os.fspath(self.record.mountpoint / path)


def running() -> list[ChosenMount]:
    """Every mount whose daemon runs."""
    return [ChosenMount(folder, record) for folder, record in mounts.running(*config.state_homes()).items()]


def mount_of(path: Path) -> tuple[ChosenMount, str]:
    """The mount that a path is in, and the path below it; of several the innermost. It need not run any more.

    A dead or hanging mount is not touched, unless the path leads there by a symbolic link.
    """
    records = mounts.known(*config.state_homes())
    for absolute in (Path(os.path.normpath(path.absolute())), path.resolve):
        found = _innermost(absolute if isinstance(absolute, Path) else absolute(), records)
        if found is not None:
            return found
    raise NoSuchMount(f"{path} is in no mount of yours")


def _innermost(path: Path, records: Mapping[Path, mounts.MountRecord]) -> tuple[ChosenMount, str] | None:
    within = {folder: record for folder, record in records.items() if path.is_relative_to(record.mountpoint)}
    if not within:
        return None
    folder = max(within, key=lambda folder: (len(within[folder].mountpoint.parts), mounts.is_held(folder)))
    below = os.fspath(path.relative_to(within[folder].mountpoint))
    return ChosenMount(folder, within[folder]), "" if below == "." else below


def named(text: str) -> ChosenMount:
    """The mount that a path is in, or that of a profile: the latter where a bare word could be both."""
    is_word = "/" not in text
    profiles = config.load().profiles if is_word else {}
    if text not in profiles:
        try:
            return mount_of(Path(text))[0]
        except NoSuchMount:
            if not is_word:
                raise
    folder = config.state_folder(config.load().profile(text))
    return ChosenMount(folder, mounts.read_record(folder))


def chosen(paths: Iterable[Path], profile_name: str | None) -> tuple[ChosenMount, list[str]]:
    """The one mount of these paths, of the profile, or the only one that there is; and the paths below it."""
    found = [mount_of(path) for path in paths]
    if found:
        first = found[0][0]
        strangers = [path for path, (mount, _) in zip(paths, found, strict=True) if mount != first]
        if strangers:
            raise NoSuchMount(f"{strangers[0]} is in another mount: name paths of one mount at a time")
        return first, [below for _, below in found]
    if profile_name is None:
        served = running()
        if len(served) == 1:
            return served[0], []
        if served:
            names = ", ".join(f"{each.profile} ({each.shown('')})" for each in served)
            raise NoSuchMount(f"which of the mounts {names}? Give a path in it, or --profile")
    folder = config.state_folder(config.load().profile(profile_name))
    return ChosenMount(folder, mounts.read_record(folder)), []
