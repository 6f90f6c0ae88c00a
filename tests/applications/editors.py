"""Editors at a terminal: each saves in its own way, and each save is one new version of the file."""

from __future__ import annotations

from functools import partial
from typing import Final

from tests.applications.application import Application

_ESCAPE: Final = "\x1b"

_edit = partial(
    Application,
    prepare="printf 'Dear Ann,\\nthank you.\\n' > letter.txt",
    saves="letter.txt",
    holds="the new line is there, and nothing else is left in the folder",
    check="""\
test "$(cat letter.txt)" = "$(printf 'Dear Ann,\\nthank you.\\nYours, Bob')"
test "$(ls -A)" = letter.txt""",
)

EDITORS: Final = (
    _edit(
        name="vim",
        program="vim",
        package="vim",
        command="vim letter.txt",
        keys=(("letter.txt", f"GoYours, Bob{_ESCAPE}:wq\r"),),
    ),
    _edit(
        name="vim, with backups by renaming",
        program="vim",
        package="vim",
        command="vim -c 'set backupcopy=no backupskip=' letter.txt",
        keys=(("letter.txt", f"GoYours, Bob{_ESCAPE}:wq\r"),),
    ),
    _edit(
        name="vim, with backups by copying",
        program="vim",
        package="vim",
        command="vim -c 'set backupcopy=yes backupskip=' letter.txt",
        keys=(("letter.txt", f"GoYours, Bob{_ESCAPE}:wq\r"),),
    ),
    _edit(
        name="nano",
        program="nano",
        package="nano",
        command="nano letter.txt",
        keys=(("Exit", f"{_ESCAPE}/Yours, Bob\x0f"), ("File Name to Write", "\r"), ("Wrote", "\x18")),
    ),
    _edit(
        name="emacs",
        program="emacs",
        package="emacs-nox",
        is_large=True,
        command="emacs -nw -Q --eval '(setq make-backup-files nil)' letter.txt",
        keys=(("letter.txt", f"{_ESCAPE}>Yours, Bob\r\x18\x13"), ("Wrote", "\x18\x03")),
    ),
    _edit(
        name="emacs, with backups",
        program="emacs",
        package="emacs-nox",
        is_large=True,
        command="cp ~/letter.txt .; emacs -nw -Q letter.txt",
        saves="",
        keys=(("letter.txt", f"{_ESCAPE}>Yours, Bob\r\x18\x13"), ("Wrote", "\x18\x03")),
        holds="the new line is there, and the old content in letter.txt~",
        remark="the backup is the old object with its UUID and versions, since emacs renames it and makes a new file",
        check="""\
tail -n 1 letter.txt | grep -qx 'Yours, Bob'
printf 'Dear Ann,\\nthank you.\\n' | cmp - letter.txt~
test "$(ls -A | tr '\\n' ,)" = 'letter.txt,letter.txt~,'""",
    ),
    _edit(
        name="a shell's >",
        program="sh",
        package="dash",
        prepare="printf 'Dear Ann,\\nthank you.\\n' > letter.txt; (cat letter.txt; echo 'Yours, Bob') > changed",
        command="cat ~/changed > letter.txt",
    ),
)
