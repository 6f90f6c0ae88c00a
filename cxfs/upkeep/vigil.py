"""A daemon under watch for the length of a block: its loop from a thread, its stacks by a signal, and its crashes.

Puts the parts of this room together, and does nothing else.
"""

from __future__ import annotations

import faulthandler
import logging
import signal
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import trio

from cxfs.upkeep.stacks import SIGNAL, StackFile
from cxfs.upkeep.stalls import LoopWatch, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

STACK_FILE: Final = "stacks.log"
"""In the state folder of a mount."""


@dataclass(frozen=True, slots=True)
class Vigil:
    """The watch over one daemon."""

    loop: LoopWatch
    stacks: StackFile

    async def write_stacks_when_asked(self) -> None:
        """SIGUSR1 writes all stacks to the file; until cancelled."""
        with trio.open_signal_receiver(SIGNAL) as signals, self.stacks.on_signal():
            async for _ in signals:
                try:
                    self.stacks.write()
                except OSError as error:
                    log.error("the stacks cannot be written to %s: %s", self.stacks.path, error)
                else:
                    log.info("all stacks are in %s", self.stacks.path)

    def facts(self) -> dict[str, object]:
        """For whoever asks how the daemon is."""
        return {"loop": asdict(self.loop.statistics())}


@contextmanager
def vigil(state_folder: Path, *, hide: Callable[[str], str]) -> Iterator[Vigil]:
    """Over the daemon whose loop this is called in. `hide` takes secrets out of a text."""
    signal.signal(SIGNAL, signal.SIG_IGN)  # by itself it would end the process, before and after
    if not faulthandler.is_enabled():
        faulthandler.enable()
    with closing(StackFile(state_folder / STACK_FILE, hide=hide)) as stacks, watched(LoopWatch()) as loop:
        yield Vigil(loop, stacks)
