"""The mounts of this user: whether each is served, answers, and is set up well. Touches only what nobody serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxfs import mounts
from cxfs.control.client import ControlClient, ControlRefused, ControlUnavailable
from cxfs.doctor.findings import Finding, note, ok, problem
from cxfs.fuse import mounting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cxfs.mounts import MountRecord

ANSWER_S: Final = 5.0

READ_AHEAD_KB: Final = 1024
"""With less the kernel asks for small pieces, one after the other: we read ahead all the same, by more calls."""

READ_AHEAD_WANTED_KB: Final = 4096


@dataclass(frozen=True, slots=True)
class Mounts:
    """Where to look. `ask` gives a daemon's status; it raises ControlUnavailable or ControlRefused."""

    state_home: Path
    table: Path = mounting.MOUNT_TABLE
    bdi: Path = Path("/sys/class/bdi")
    is_dead: Callable[[Path], bool] = mounting.is_dead

    def served(self) -> dict[Path, MountRecord]:
        """By state folder."""
        return mounts.running(self.state_home)


def examined(where: Mounts) -> tuple[list[Finding], list[Path]]:
    """The findings about all mounts, and the places of those that answer."""
    served = where.served()
    in_table = {each.mountpoint: each for each in mounting.all_mounted(where.table) if each.is_ours}
    findings, answering = [], []
    for folder, record in served.items():
        mine, answers = _daemon(folder, record, is_mounted=record.mountpoint in in_table)
        findings += mine
        if answers:
            answering.append(record.mountpoint)
            findings += _read_ahead(where, in_table[record.mountpoint])
    known = {record.mountpoint for record in served.values()}
    findings += [_dead(place) for place in in_table if place not in known and where.is_dead(place)]
    return findings or [ok("mounts", "none, and none is left over")], answering


def _dead(place: Path) -> Finding:
    return problem(
        "mounts",
        f"{place} is a dead mount: its daemon was killed",
        f"cxfs mount it again, which clears it and sends what waits; or fusermount3 -uz '{place}'",
    )


def _daemon(folder: Path, record: MountRecord, *, is_mounted: bool) -> tuple[list[Finding], bool]:
    """What its daemon says, and whether there is a mount that answers."""
    place = record.mountpoint
    try:
        told = _status(record)
    except (ControlUnavailable, ControlRefused) as error:
        return [
            problem(
                "mounts",
                f"the daemon of {place} does not answer ({error})",
                f"look into {folder / 'cxfs.log'}; kill {record.pid} ends it, and nothing written is lost",
            )
        ], False
    if record.draining:
        return [note("mounts", f"{place} is unmounted and sends what waits", f"cxfs umount '{place}' shows it")], False
    if not is_mounted:
        remedy = f"kill {record.pid}, and mount it again: nothing written is lost"
        return [problem("mounts", f"{place} is served and not mounted", remedy)], False
    return [ok("mounts", f"{place} answers"), *_uploads(place, told)], True


def _status(record: MountRecord) -> Mapping[str, Any]:
    if record.control is None:
        raise ControlUnavailable("it has no control socket yet")
    with ControlClient(record.control, silence_s=ANSWER_S) as control:
        return control.ask("status")


def _uploads(place: Path, told: Mapping[str, Any]) -> list[Finding]:
    remaining = told["remaining"]
    if remaining["parked"]:
        text = f"{remaining['parked']} changes in {place} are parked: the server does not take them"
        return [problem("uploads", text, f"cxfs uploads '{place}' tells why; then retry, export or discard")]
    if remaining["trouble"]:
        return [note("uploads", f"what was written in {place} waits: {remaining['trouble']}")]
    return []


def _read_ahead(where: Mounts, mounted: mounting.Mounted) -> list[Finding]:
    file = where.bdi / mounted.device / "read_ahead_kb"
    try:
        now_kb = int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return []
    if now_kb >= READ_AHEAD_KB:
        return [ok("read-ahead", f"{now_kb} KiB at {mounted.mountpoint}")]
    return [
        note(
            "read-ahead",
            f"the kernel reads {now_kb} KiB ahead at {mounted.mountpoint}: large files come slower than they could",
            f"echo {READ_AHEAD_WANTED_KB} > {file}, as root, after each mount",
        )
    ]
