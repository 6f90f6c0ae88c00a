"""The command line: arguments in, exit codes and one-line errors out. Decides nothing; the rooms below do.

One file a command or group of commands, imported when it is called for: `cxfs --version` loads no HTTP and no FUSE.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from click import Command


def main() -> NoReturn:
    """The console script `cxfs`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """One command line to its exit status; an error is one line on stderr, after its traceback when debugging.

    Only a group that was called without any command shows its help page instead.
    """
    from cxfs.cli.root import cxfs

    return run_as("cxfs", cxfs, arguments)


def run_as(program: str, command: Command, arguments: Sequence[str]) -> int:
    """The same for another program than `cxfs`; errors begin with its name."""
    debugging = bool(os.environ.get("CXFS_DEBUG"))
    try:
        status = command.main(args=list(arguments), prog_name=program, standalone_mode=False)
    except Exception as error:  # noqa: BLE001  # the last resort: whatever it is, it ends as one line and a status
        from cxfs.cli.exits import Exit, help_instead_of, refusal_of

        page = help_instead_of(error)
        if page is not None:
            sys.stderr.write(f"{page}\n")
            return Exit.USAGE
        if debugging:
            sys.excepthook(type(error), error, error.__traceback__)
        refusal = refusal_of(error)
        sys.stderr.write(f"{program}: {refusal.text}\n")
        return refusal.code
    return status if isinstance(status, int) else 0
