"""docs/applications.md: the registry as tables, with how each application fared. Runs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.applications.registry import APPLICATIONS, CHAPTERS

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from tests.applications.application import Application

_HEAD: Final = """\
# What works in a mount

Each row is a test: a real program, told what stands in the row, in an empty folder of a real mount of a real server
over TLS. Afterwards what the row says holds: in the mount; at the server, which has every byte of it; in the mount of
another machine; and after a remount. `~` is a folder on the local disk with what the row needs. A program that saves a
file makes exactly one new version of it, which keeps its UUID. `make applications` installs the programs, runs all
rows and writes this page; `make test` runs the same rows smaller, but for those marked *, whose programs take long to
install, to start or to end."""

_VERSIONS: Final = "\n## Versions\n\n"


def page(failed: Container[str], versions: Mapping[str, str], system: str) -> str:
    """The whole document. `failed` holds the names of rows that did not end as they should."""
    chapters = (_chapter(title, rows, failed) for title, rows in CHAPTERS.items())
    told = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return f"{_HEAD}\n{''.join(chapters)}{_VERSIONS}The last run was on {system}: {told}.\n"


def tables(document: str) -> str:
    """The part of the document that is the same on every machine."""
    return document.partition(_VERSIONS)[0]


def packages() -> list[str]:
    """All Debian packages that the rows name, each once."""
    return sorted({each.package for each in APPLICATIONS})


def _chapter(title: str, rows: tuple[Application, ...], failed: Container[str]) -> str:
    lines = (_row(each, failed) for each in rows)
    return f"\n## {title}\n\n| application | what is typed | result | remark |\n|---|---|---|---|\n{''.join(lines)}"


def _row(application: Application, failed: Container[str]) -> str:
    if application.name in failed:
        result = "**fails**"
    elif application.refusal:
        result = f"is refused: “{application.refusal}”"
    else:
        result = f"works: {application.holds}"
    mark = "*" if application.is_large else ""
    cells = (f"{application.name}{mark}", _typed(application), result, application.remark)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _typed(application: Application) -> str:
    lines = application.at(application.command, full=True).splitlines()
    keys = f" and the keys {_shown(application.keys)}" if application.keys else ""
    return "<br>".join(f"`{line.strip()}`" for line in lines) + keys


def _shown(keys: tuple[tuple[str, str], ...]) -> str:
    typed = "".join(keystrokes for _, keystrokes in keys)
    words = {"\x1b": "Esc", "\r": "Enter"} | {chr(code): f"^{chr(code + 64)}" for code in range(1, 27) if code != 13}
    return "`" + "".join(f" {words[key]} " if key in words else key for key in typed).strip() + "`"
