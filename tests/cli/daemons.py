"""A daemon that is all words: it holds a profile's lock and answers at its control socket, from a thread."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from cxfs.control.place import listening
from cxfs.control.protocol import Done, Failure, Kind, Progress, Request
from cxfs.mounts import hold_lock

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

Answer = Callable[[Mapping[str, object]], Mapping[str, Any] | Failure]

STATUS: Final[Mapping[str, Any]] = {
    "profile": "home",
    "mountpoint": "/home/ann/CX",
    "root": "/",
    "pid": 1,
    "version": "0.1.0",
    "phase": "mounted",
    "connection": {"state": "online", "since": 0.0, "reason": "", "next_probe": None},
    "tasks": [],
    "tasks_living": 30,
    "loop": {"blocked_s": 0.25, "stalls": 0},
    "uploads": {"writing": 0, "waiting": 0, "sending": 0, "parked": 0, "bytes_waiting": 0, "failures": 0,
                "deletions": 0, "folders": 0, "bytes_per_s": 0.0},
    "remaining": {"files": 0, "bytes": 0, "deletions": 0, "folders": 0, "writing": 0, "parked": 0, "parked_bytes": 0,
                  "conflicts": 0, "trouble": None},
    "feed": None,
    "notices": [],
    "notices_kept": 0,
    "quota": {"total_bytes": 50 << 30, "used_bytes": 5 << 30},
    "cache": {"files": 14, "files_in_use": 0, "bytes_held": 90 << 20, "bytes_max": 10 << 30, "evicted_files": 0,
              "hits": 276, "misses": 92},
    "names": {"hits": 99, "misses": 1},
    "slowest": [{"kind": "POST data", "count": 12, "mean_s": 0.5, "longest_s": 2.125, "longest_ago_s": 60.0}],
}  # fmt: skip
"""Of a mount that has nothing to do."""


class SpokenDaemon:
    """It serves `mountpoint` for the block. `answers` has its words by verb; what was asked of it is in `asked`.

    An answer is a result, or is made from a request's arguments; a list is news, the last of which is the result.
    """

    def __init__(self, state_folder: Path, mountpoint: Path) -> None:
        self.answers: dict[str, Mapping[str, Any] | list[Mapping[str, Any]] | Failure | Answer] = {"status": STATUS}
        self.asked: list[tuple[str, Mapping[str, object]]] = []
        self.mountpoint = mountpoint
        self._state_folder = state_folder
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        path = self._state_folder / "control.sock"
        lock = self._stack.enter_context(hold_lock(self._state_folder, self.mountpoint))
        listener = self._stack.enter_context(listening(path))
        lock.note_control(path)
        thread = threading.Thread(target=self._serve, args=(listener,))
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(listener.shutdown, socket.SHUT_RDWR)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # the end
                return
            with client, client.makefile("rb") as lines, contextlib.suppress(OSError):
                for line in lines:
                    for said in self._words(Request.parse(line)):
                        client.sendall(said.line())

    def _words(self, request: Request) -> list[Progress | Done | Failure]:
        self.asked.append((request.verb, request.arguments))
        answer = self.answers.get(request.verb, Failure(Kind.UNKNOWN, f"this mount does not know {request.verb!r}"))
        if callable(answer):
            answer = answer(request.arguments)
        if isinstance(answer, Failure):
            return [answer]
        *news, result = answer if isinstance(answer, list) else [answer]
        return [*map(Progress, news), Done(result)]
