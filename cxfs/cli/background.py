"""A daemon in the background: the process that was called returns when the mount answers. Knows nothing of mounts.

The fork comes before any event loop or thread is started, since neither survives one. Child and parent speak over a
pipe: one line of JSON with the exit status and, for a refusal, its message.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Final, NoReturn

from cxfs.cli.exits import Exit, Refusal, refusal_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START_DEADLINE_S: Final = 180.0
"""A start asks the server a few questions, each with a deadline and retries of its own; this is past all of them."""

log = logging.getLogger(__name__)


def run_in_background(
    serve: Callable[[Callable[[], None]], int], *, log_file: Path, deadline_s: float = START_DEADLINE_S
) -> None:
    """Runs `serve(on_ready)` in a daemon; returns once it is ready, raises the Refusal it ended with before that."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _live(serve, writer, log_file)
    os.close(writer)
    try:
        _await_word(reader, child, log_file, deadline_s)
    except Refusal:  # the child has ended, and was waited for
        raise
    except BaseException:
        os.kill(child, signal.SIGTERM)
        raise
    finally:
        os.close(reader)


def _await_word(reader: int, child: int, log_file: Path, deadline_s: float) -> None:
    deadline = time.monotonic() + deadline_s
    said = b""
    while not said.endswith(b"\n"):
        readable, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            os.kill(child, signal.SIGTERM)
            raise Refusal(Exit.UNREACHABLE, f"the mount did not answer within {deadline_s:g} s; see {log_file}")
        piece = os.read(reader, 4096)
        if not piece:
            _, status = os.waitpid(child, 0)
            ending = os.waitstatus_to_exitcode(status)
            raise Refusal(Exit.FAILED, f"the daemon ended while starting (status {ending}); see {log_file}")
        said += piece
    word = json.loads(said)
    if word["code"] != Exit.OK:
        os.waitpid(child, 0)
        raise Refusal(word["code"], word["text"])


def _live(serve: Callable[[Callable[[], None]], int], writer: int, log_file: Path) -> NoReturn:
    """The child's whole life; never returns into the code that forked."""
    told = False

    def tell(code: int, text: str) -> None:
        nonlocal told
        if not told:
            told = True
            os.write(writer, json.dumps({"code": code, "text": text}).encode() + b"\n")
            os.close(writer)

    code: int = Exit.BUG
    try:
        _leave_terminal(log_file)
        code = serve(lambda: tell(Exit.OK, ""))
        tell(Exit.FAILED, "the daemon ended before the mount answered")
    except BaseException as error:  # the end of this process, whatever it is
        refusal = refusal_of(error)
        code = refusal.code
        if told or code == Exit.BUG:
            log.exception("the daemon ends")
        tell(code, refusal.text)
    finally:
        logging.shutdown()
        os._exit(code)


def _leave_terminal(log_file: Path) -> None:
    """A session of its own, no terminal, no folder kept busy; what would go to stderr goes to the log."""
    os.setsid()
    os.chdir("/")
    sys.stdout.flush()
    sys.stderr.flush()
    log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    nothing = os.open(os.devnull, os.O_RDWR)
    logged = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (logged, 1), (logged, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(logged)
