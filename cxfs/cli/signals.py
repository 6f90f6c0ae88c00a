"""Signals that mean "come to an end" for a command in a terminal, each as Ctrl-C or as SIGTERM. Ends nothing itself."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def orderly() -> Iterator[None]:
    """For the block, from the main thread: SIGTERM unwinds as Ctrl-C does, and a closed terminal counts as SIGTERM.

    Whoever takes SIGTERM inside the block, as the daemon of a mount does, gets the closed terminal too. A signal that
    is ignored, as by nohup, stays ignored.
    """
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGTERM, _unwind)
    if former[signal.SIGHUP] is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda _number, _frame: signal.raise_signal(signal.SIGTERM))
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _unwind(_number: int, _frame: object) -> None:
    """By way of SIGINT, since trio takes that where it can, where a bare exception would tear its loop."""
    if callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)
    else:  # ignored, as in a script's background
        raise KeyboardInterrupt
