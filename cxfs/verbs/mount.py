"""What can be asked about a mount as a whole: how it stands, what it has to send, what it keeps. Sends nothing."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import trio

from cxfs import __version__
from cxfs.control.protocol import Arguments, Kind, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cxfs.control.server import Tell, Verb
    from cxfs.fs.space import Space
    from cxfs.fs.syncing import SyncProgress
    from cxfs.fs.uploader import Uploader
    from cxfs.fs.waiting import Waiting
    from cxfs.local.blocks import BlockStore
    from cxfs.remote.request_times import RequestTimes
    from cxfs.remote.watch import ConnectionStatus

ROWS_AT_A_TIME: Final = 100
"""In one line of an answer: at the most some hundred KiB, however long the names are."""


LEVELS: Final = ("debug", "info", "warning", "error")

log = logging.getLogger(__name__)

NOTICES_TOLD: Final = 20
"""The latest: a status is looked at, and not gone through."""


class Phase(StrEnum):
    """Of a mount's life."""

    MOUNTED = "mounted"
    DRAINING = "draining"
    """Unmounted; what waits is being sent."""


class MountVerbs:
    """The verbs of one mount.

    `reading` gives what is counted beside the cache: by what it is of, and by its name; `slowest` how long requests
    took, by kind; `condition` how the daemon itself is: `tasks` that failed, how often its `loop` stood still.
    """

    def __init__(
        self,
        waiting: Waiting,
        uploader: Uploader,
        blocks: BlockStore,
        *,
        connection: Callable[[], ConnectionStatus],
        reading: Callable[[], Mapping[str, Mapping[str, object]]],
        condition: Callable[[], Mapping[str, object]],
        space: Callable[[], Space],
        slowest: Callable[[], Sequence[RequestTimes]],
        profile: str,
        mountpoint: Path,
        root: str,
    ) -> None:
        self.phase = Phase.MOUNTED
        self._waiting = waiting
        self._uploader = uploader
        self._blocks = blocks
        self._connection = connection
        self._reading = reading
        self._condition = condition
        self._space = space
        self._slowest = slowest
        self._profile = profile
        self._mountpoint = mountpoint
        self._root = root

    @property
    def table(self) -> Mapping[str, Verb]:
        """By the name that a request has."""
        return {
            "status": self.status,
            "uploads": self.uploads,
            "sync": self.sync,
            "retry": self.retry,
            "export": self.export,
            "discard": self.discard,
            "cache": self.cache,
            "clear-cache": self.clear_cache,
            "log-level": self.log_level,
        }

    async def status(self, arguments: Arguments, _tell: Tell) -> Mapping[str, object]:
        """`status`: what the mount is, whether the server can be had, what there is to send, and how it does.

        Sizes in bytes. `connection` tells its `state`, the `reason` for it, and `since` when, and when the server is
        asked next (`next_probe`), in seconds since the epoch. `feed` counts what is heard of changes (None: nobody
        listens).
        """
        arguments.end()
        notices = await self._waiting.notices()
        space = self._space()
        return {
            "profile": self._profile,
            "mountpoint": os.fspath(self._mountpoint),
            "root": self._root,
            "pid": os.getpid(),
            "version": __version__,
            "phase": self.phase,
            "connection": asdict(self._connection()),
            "uploads": asdict(self._uploader.statistics()),
            "remaining": asdict(self._waiting.remaining()),
            **self._condition(),
            "notices": [asdict(each) for each in notices[-NOTICES_TOLD:]],
            "notices_kept": len(notices),
            "quota": {"total_bytes": space.total_bytes if space.is_known else None, "used_bytes": space.used_bytes},
            "cache": asdict(self._blocks.statistics()),
            "names": self._reading().get("names", {}),
            "feed": self._reading().get("feed"),
            "slowest": [asdict(each) for each in self._slowest()],
            "tasks_living": trio.lowlevel.current_statistics().tasks_living,
        }

    async def uploads(self, arguments: Arguments, tell: Tell) -> Mapping[str, object]:
        """`uploads`: what the server does not have, as news of `rows`; the result is their count."""
        arguments.end()
        rows = self._waiting.rows()
        for start in range(0, len(rows), ROWS_AT_A_TIME):
            await tell({"rows": [asdict(row) for row in rows[start : start + ROWS_AT_A_TIME]]})
        return {"count": len(rows)}

    async def sync(self, arguments: Arguments, tell: Tell) -> Mapping[str, object]:
        """`sync` with `path`: returns when the server has all of it, or never will."""
        place = os.fsencode(arguments.text("path") or "")
        arguments.end()

        async def progress(news: SyncProgress) -> None:
            await tell(asdict(news))

        return asdict(await self._waiting.sync(place, progress))

    async def retry(self, arguments: Arguments, _tell: Tell) -> Mapping[str, object]:
        """`retry` with `ids`, or without for all."""
        ids = arguments.texts("ids")
        arguments.end()
        return {"count": await self._waiting.retry(ids)}

    async def export(self, arguments: Arguments, tell: Tell) -> Mapping[str, object]:
        """`export` with `id`: where to copy its content from. Ask again afterwards whether `generation` is the same."""
        change_id = _required(arguments, "id")
        arguments.end()

        async def alive() -> None:
            await tell({})

        content = await self._waiting.content(change_id, alive)
        return {
            "path": content.path,
            "file": os.fspath(content.file),
            "size": content.size,
            "missing": [[gap.start, gap.stop] for gap in content.missing],
            "generation": content.generation,
            "modified_ms": content.modified_ms,
            "posix": content.posix.text,
        }

    async def discard(self, arguments: Arguments, _tell: Tell) -> Mapping[str, object]:
        """`discard` with `id`: drops a parked change."""
        change_id = _required(arguments, "id")
        arguments.end()
        return asdict(await self._waiting.discard(change_id))

    async def cache(self, arguments: Arguments, _tell: Tell) -> Mapping[str, object]:
        """`cache`: where it is, and all counters of it and of reading, by their names; `…_bytes` are sizes."""
        arguments.end()
        return {
            "folder": os.fspath(self._blocks.folder),
            "counters": {
                "cache": asdict(self._blocks.statistics()),
                **self._reading(),
            },
        }

    async def clear_cache(self, arguments: Arguments, tell: Tell) -> Mapping[str, object]:
        """`clear-cache`: frees what nobody has open, with news of how much so far."""
        arguments.end()
        freed: dict[str, object] = {"files": 0, "bytes": 0}
        for cleared in self._blocks.clear():
            freed = cleared._asdict()
            await tell(freed)
        return freed

    async def log_level(self, arguments: Arguments, _tell: Tell) -> Mapping[str, object]:
        """`log-level` with `level`: what is logged from now on, and what was before. In lower case."""
        level = _required(arguments, "level").lower()
        arguments.end()
        if level not in LEVELS:
            raise RequestError(Kind.ARGUMENTS, f"level: expected one of {', '.join(LEVELS)}")
        root = logging.getLogger()
        before = logging.getLevelName(root.level).lower()
        root.setLevel(level.upper())
        log.info("what is logged begins at %s now, at %s before", level, before)
        return {"level": level, "before": before}


def _required(arguments: Arguments, name: str) -> str:
    value = arguments.text(name)
    if not value:
        raise RequestError(Kind.ARGUMENTS, f"{name} is missing")
    return value
