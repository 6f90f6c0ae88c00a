"""Whether a program that waits is about to end, by what the kernel tells of it. Reads no file itself.

A program that waits for a file system takes no signal before it is answered: what was sent to it stays pending.
"""

from __future__ import annotations

from signal import Signals
from typing import Final

ENDING: Final = frozenset({Signals.SIGHUP, Signals.SIGINT, Signals.SIGQUIT, Signals.SIGTERM, Signals.SIGKILL})
"""Somebody wants the program to end. One that catches these has something to do before, and waits for that as well."""

HARMLESS: Final = frozenset(
    {
        Signals.SIGCHLD,
        Signals.SIGCONT,
        Signals.SIGURG,
        Signals.SIGWINCH,
        Signals.SIGSTOP,
        Signals.SIGTSTP,
        Signals.SIGTTIN,
        Signals.SIGTTOU,
    }
)
"""A program that does nothing about these lives on. Any other signal ends it."""

EXITING: Final = 0x4
"""The flag of a thread that closes its files on its way out (PF_EXITING)."""


def is_to_end(status: str) -> bool:
    """Whether a signal is pending that ends the program, or asks it to end. `status` is `/proc/PID/status`."""
    sets = {
        name: int(rest, 16) for name, _, rest in (line.partition(":") for line in status.splitlines()) if name in _SETS
    }
    if len(sets) < len(_SETS):
        return False
    pending = (sets["SigPnd"] | sets["ShdPnd"]) & ~sets["SigBlk"] & ~sets["SigIgn"]
    return bool(pending & (_mask(ENDING) | ~(sets["SigCgt"] | _mask(HARMLESS))))


def was_killed(stat: str) -> bool:
    """Whether the program is on its way out because of a signal. `stat` is `/proc/PID/stat`.

    One that ends by itself may rely on what its last close waits for.
    """
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 50:
        return False
    return bool(int(fields[6]) & EXITING) and bool(int(fields[49]) & 0x7F)


_SETS: Final = frozenset({"SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"})


def _mask(signals: frozenset[Signals]) -> int:
    return sum(1 << (number - 1) for number in signals)
