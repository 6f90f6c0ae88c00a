"""Message buses of a test's own, which start nobody by themselves."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def private_bus(folder: Path, kind: str) -> Iterator[str]:
    """A bus of that kind (`system`, `session`), and its address."""
    config = folder / f"{kind}-bus.conf"
    config.write_text(
        f"<busconfig><type>{kind}</type><listen>unix:path={folder}/{kind}-bus</listen><auth>EXTERNAL</auth><policy"
        ' context="default"><allow send_destination="*"/><allow own="*"/><allow receive_sender="*"/></policy>'
        "</busconfig>"
    )
    with subprocess.Popen(
        ["dbus-daemon", "--nofork", "--print-address", f"--config-file={config}"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()
