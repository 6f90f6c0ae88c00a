"""Changes the configuration file as a careful person would: comments, order and layout of the rest stay.

What is about to be written is read first by the rules of `profiles`, so a file that cxfs would refuse is never made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxfs.config import profiles
from cxfs.config.profiles import Config, ConfigError, Profile
from cxfs.local.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class EditedFile:
    """The file as it would be, not written yet."""

    _file: Path
    _before: str
    _after: str

    def write(self) -> None:
        """Makes it so; raises ConfigError. A file that needs no change is not touched."""
        if self._after != self._before:
            _write(self._file, self._after)


@dataclass(frozen=True, slots=True)
class Edited(EditedFile):
    """And the profile that was changed in it."""

    profile: Profile


def edited(config: Config, name: str, values: Mapping[str, str | bool | None]) -> Edited:
    """The file with these keys of [profiles.NAME], which is added where it is missing; a key that is None is removed.

    Raises ConfigError when the result would be none that cxfs reads.
    """
    import tomlkit  # noqa: PLC0415 - needed once in the life of a profile

    before = config.file.read_text(encoding="utf-8") if config.file.exists() else ""
    document = tomlkit.parse(before)
    tables = document.setdefault("profiles", tomlkit.table(is_super_table=True))
    in_braces = isinstance(tables, tomlkit.items.InlineTable)  # which no heading can add to
    table = tables.setdefault(name, tomlkit.inline_table() if in_braces else tomlkit.table())
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    after = tomlkit.dumps(document)
    profile = profiles.parse(after.encode(), config.file).profile(name)
    return Edited(config.file, before, after, profile)


def with_default(config: Config, name: str | None) -> EditedFile:
    """The file with this default profile, or without one. Raises ConfigError when there is no such profile."""
    import tomlkit  # noqa: PLC0415 - as above

    before = config.file.read_text(encoding="utf-8") if config.file.exists() else ""
    document = tomlkit.parse(before)
    if name is None:
        document.pop("default_profile", None)
    elif "default_profile" in document:
        document["default_profile"] = name
    else:  # at the top: behind a table it would be one of its keys
        document = tomlkit.parse(f"default_profile = {tomlkit.item(name).as_string()}\n\n{before}".rstrip("\n") + "\n")
    after = tomlkit.dumps(document)
    profiles.parse(after.encode(), config.file)
    return EditedFile(config.file, before, after)


def _write(file: Path, text: str) -> None:
    """With the mode it had."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(file, text, mode=file.stat().st_mode & 0o777 if file.exists() else 0o644)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from error
