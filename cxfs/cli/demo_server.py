"""The server process of `cxfs demo`: `python -m cxfs.cli.demo_server PORT FOLDER`. Ends when the demo does.

Its standard input is a pipe that only the demo holds open, so its end is told by the kernel, however that came about.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from cxfs.server.errors import ServerError
from cxfs.server.serving import serve


def main(port: str, folder: str) -> None:
    """Serves the folder and prints its URL when connections are accepted; an error is one line."""
    threading.Thread(target=_end_with_stdin, name="watch", daemon=True).start()
    try:
        serve(Path(folder), port=int(port), on_ready=lambda url: print(url, flush=True))  # noqa: T201 - to the demo
    except ServerError as error:
        sys.exit(f"cxfs: {error}")


def _end_with_stdin() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(*sys.argv[1:])
