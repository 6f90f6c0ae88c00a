"""What is done for a mount beside serving it: its tasks are kept going, the machine's sleep prepared, its end told of.

Serves no request, and starts nothing by itself: the daemon does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

import trio

from cxfs.core.connection import State
from cxfs.core.notices import Notices
from cxfs.fuse.device import Device
from cxfs.upkeep.notifications import Notifications, session_bus
from cxfs.upkeep.sleep import SleepWatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from cxfs.core.notices import Condition
    from cxfs.fs.supervisor import Supervisor
    from cxfs.fs.volume import Volume
    from cxfs.fs.waiting import Waiting
    from cxfs.fuse.callers import Callers
    from cxfs.remote.watch import ConnectionStatus
    from cxfs.upkeep.service_manager import ServiceManager
    from cxfs.upkeep.vigil import Vigil

PATIENCE_S: Final = 15.0
"""What the service manager is asked for at a time."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What keeps a mount going, and knows when it does not."""

    tasks: Supervisor
    watch: Vigil
    callers: Callers
    device: Device = field(default_factory=Device)

    def condition(self) -> dict[str, object]:
        """For whoever asks how the daemon is."""
        return {"tasks": [asdict(each) for each in self.tasks.faults()], **self.watch.facts()}


def sleep_watch(volume: Volume, upkeep: Upkeep) -> SleepWatch:
    """What this mount does when the machine goes to sleep, and after."""

    async def prepare(_seconds: float) -> None:
        """Whoever waits is answered; what was written is sent, as far as there is time."""
        upkeep.callers.pause()
        volume.uploader.hurry()
        while volume.uploader.moving and volume.uploader.trouble is None:
            await volume.uploader.ended()

    def resumed() -> None:
        upkeep.callers.resume()
        volume.uploader.wake()
        volume.feeds.interrupt()
        upkeep.tasks.start_soon(volume.space.refresh)

    return SleepWatch(prepare, resumed)


def keep_desktop_told(
    tasks: Supervisor, volume: Volume, profile: str, is_signed_in: Callable[[], bool], *, wanted: bool
) -> None:
    """The person at the desktop hears of this mount from now on, unless that is not wanted."""
    if not wanted:
        return

    def condition() -> Condition:
        return volume.waiting.condition(is_signed_out=not is_signed_in())

    tasks.keep("notifications", Notifications(Notices(profile), condition, session_bus).run)


def tell_of_connection(manager: ServiceManager, mounted: str, connection: ConnectionStatus) -> None:
    """What `systemctl status` shows of a mount: that it is `mounted`, and what is amiss with its connection."""
    amiss = "" if connection.state is State.ONLINE else f"; {connection.state}: {connection.reason}"
    manager.status(f"{mounted}{amiss}")


async def tell_of_draining(manager: ServiceManager, waiting: Waiting) -> NoReturn:
    """For as long as it takes the service manager is asked for patience: the drain timeout is what bounds it."""
    while True:
        left = waiting.remaining()
        manager.extend_timeout(PATIENCE_S)
        manager.status(f"unmounted; {left.files} files with {left.bytes} bytes and {left.deletions} deletions are left")
        await trio.sleep(PATIENCE_S / 3)
