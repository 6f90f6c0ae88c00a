"""What a mount does beside its requests, kept going: a fault in one task ends no other task, and not the mount.

What runs once is contained; what runs for as long as the mount begins anew after a pause that grows. Either is logged
with its traceback and counted for whoever asks. Knows no task's business.
"""

from __future__ import annotations

import contextlib
import logging
import math
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVarTuple

import trio

from cxfs.core.errors import CxfsError
from cxfs.core.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

_POLICY: Final = RetryPolicy(first_pause_s=1.0, longest_pause_s=60.0, tries_max=None)

GOOD_S: Final = 120.0
"""A task that ran for so long was well: its next fault is the first one again."""

_WISHES: Final = (trio.Cancelled, KeyboardInterrupt, GeneratorExit)
"""What is raised where somebody wants an end. Everything else is a fault, SystemExit too: no task ends the mount."""

Ts = TypeVarTuple("Ts")


class Nursery(Protocol):
    """Where tasks run beside the calls: trio's own, or a Supervisor."""

    def start_soon(self, async_fn: Callable[[*Ts], Awaitable[object]], /, *args: *Ts) -> None:
        """Runs `async_fn(*args)` beside everything else."""
        ...


@dataclass(frozen=True, slots=True)
class TaskFaults:
    """What befell one kind of task: how often, and the last time. Never the text of an error: that may hold a secret.

    `kind` is the exception's type, `place` FILE:LINE where it was raised, `ago_s` how many seconds ago. `again_s`: when
    it begins anew; None: it runs, or is not of those that do.
    """

    task: str
    faults: int
    kind: str
    place: str
    ago_s: float
    again_s: float | None


@dataclass(slots=True)
class _Record:
    faults: int = 0
    kind: str = ""
    place: str = ""
    at: float = -math.inf
    again_at: float = -math.inf


class EndedByItself(Exception):
    """A task that should run for as long as the mount has returned."""


class Supervisor:
    """The tasks of one mount, which run in `nursery`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._records: dict[str, _Record] = {}

    def start_soon(self, async_fn: Callable[[*Ts], Awaitable[object]], /, *args: *Ts) -> None:
        """Runs it once. A fault in it is logged and counted, and that is all."""
        self._nursery.start_soon(self._once, async_fn, *args)

    def keep(self, task: str, run: Callable[[], Awaitable[object]]) -> None:
        """Runs it for as long as the mount lives, under this name."""
        self._nursery.start_soon(self.kept, task, run)

    async def kept(self, task: str, run: Callable[[], Awaitable[object]]) -> None:
        """The same here: returns when cancelled, whatever happens in `run`, which begins anew after each fault."""
        failures = 0
        while True:
            began = trio.current_time()
            fault = await _fault_in(self._to_its_end(task, run))
            failures = 1 if trio.current_time() - began >= GOOD_S else failures + 1
            pause_s = _POLICY.ceiling_s(failures)
            self._note(task, fault, again_s=pause_s)
            await trio.sleep(pause_s)

    def faults(self) -> list[TaskFaults]:
        """All so far, by task."""
        now = trio.current_time()
        return [
            TaskFaults(
                task,
                record.faults,
                record.kind,
                record.place,
                now - record.at,
                record.again_at - now if record.again_at > now else None,
            )
            for task, record in sorted(self._records.items())
        ]

    @staticmethod
    async def _to_its_end(task: str, run: Callable[[], Awaitable[object]]) -> None:
        await run()
        raise EndedByItself(f"{task} returned")

    async def _once(self, async_fn: Callable[[*Ts], Awaitable[object]], *args: *Ts) -> None:
        fault = await _fault_in(async_fn(*args))
        if fault is not None:
            self._note(getattr(async_fn, "__qualname__", type(async_fn).__name__), fault, again_s=None)

    def _note(self, task: str, fault: BaseException | None, *, again_s: float | None) -> None:
        record = self._records.setdefault(task, _Record())
        record.faults += 1
        record.kind = type(fault).__name__
        record.place = place_of(fault)
        record.at = trio.current_time()
        record.again_at = record.at + (again_s or 0.0)
        what = "" if again_s is None else f"; it begins anew in {again_s:.1f} s"
        report(fault, "a bug in the task %s%s", task, what)


async def _fault_in(work: Awaitable[object]) -> BaseException | None:
    """What went wrong in it, when it is over; None when nothing did. A wish to end passes through."""
    try:
        await work
    except BaseException as error:  # noqa: BLE001 - the one place for that
        wish, fault = parted(error)
        if wish is not None:
            if fault is not None:
                report(fault, "a bug at the end of a task")
            raise wish from None
        return fault
    return None


def parted(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """The wish to end that is in an error (a cancellation, an interrupt), and the fault; either may be None."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(_WISHES)
    return (error, None) if isinstance(error, _WISHES) else (None, error)


def report(fault: BaseException | None, message: str, *words: object) -> None:
    """A line in the log with the traceback. Never raises: there may be no memory or no stack left for it."""
    with contextlib.suppress(Exception):
        log.error(message, *words, exc_info=fault)


def reason_of(fault: Exception, message: str, *words: object) -> CxfsError:
    """Why something is to be tried again: what is foreseen (this machine's disk is full), or a bug, which is logged."""
    if isinstance(fault, CxfsError):
        return fault
    report(fault, message, *words)
    return CxfsError("a bug, see the log")


def place_of(fault: BaseException | None) -> str:
    """FILE:LINE of where it was raised; empty where that is not known."""
    if isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    frames = traceback.extract_tb(fault.__traceback__, limit=-1) if fault is not None else []
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
