"""What a mount must know before it can begin: whose it is, what the server can do, where its root is. Mounts nothing.

It is asked at every start, and written down, so that a mount begins without the network as well: at boot, in a train.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from cxfs.core.entries import Entry, EntryName, Uuid
from cxfs.core.errors import CxfsError, NotADirectory
from cxfs.remote.files import Files
from cxfs.remote.user import User

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.core.entries import TreePath
    from cxfs.local.outbox import Outbox
    from cxfs.remote.session import Session

log = logging.getLogger(__name__)

PATIENCE_S: Final = 5.0
"""How long a start waits for the server where what is to be known is known from the last one."""


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What the server has said: the account, its name for people, the capabilities, and the folder to mount."""

    account: Uuid
    username: str
    capabilities: frozenset[str]
    root: Entry


async def introduced(
    session: Session, outbox: Outbox, root: TreePath, *, on_absence: Callable[[str], None]
) -> Acquaintance:
    """What the server says now; where it does not answer, what it said last, and `on_absence` hears why.

    Raises CxfsError for a refusal, and where nothing is known yet.
    """
    known = _noted(outbox, root)
    if known is None:
        return _note(outbox, root, await _asked(session, root))
    reason = f"no answer within {PATIENCE_S:g} s"
    with trio.move_on_after(PATIENCE_S):
        try:
            return _note(outbox, root, await _asked(session, root))
        except CxfsError as error:
            if not error.transient:
                raise
            reason = str(error)
    log.warning("begins without the server, with what was known of it: %s", reason)
    on_absence(reason)
    return known


async def _asked(session: Session, root: TreePath) -> Acquaintance:
    user = User(session)
    account = await user.profile()
    capabilities = await user.capabilities()
    entry = await Files(session).entry(root)
    if not entry.is_folder:
        raise NotADirectory(f"/{'/'.join(root.names)} is a file of the account; root= takes a folder")
    return Acquaintance(account.id, account.username, capabilities, entry)


def _note(outbox: Outbox, root: TreePath, said: Acquaintance) -> Acquaintance:
    outbox.write_fact(_fact(root), msgspec.json.encode(said, enc_hook=str).decode())
    return said


def _noted(outbox: Outbox, root: TreePath) -> Acquaintance | None:
    """Of the account whose changes wait here, and no other; None where that is not known."""
    text = outbox.fact(_fact(root))
    if text is None:
        return None
    try:
        known = msgspec.json.decode(text, type=Acquaintance, dec_hook=_checked)
    except (msgspec.MsgspecError, CxfsError, RecursionError):
        log.warning("what was known of the server cannot be read, and is asked for")
        return None
    return known if known.account == outbox.account else None


def _checked(kind: type[Any], value: Any) -> Any:
    return kind.parse(value) if issubclass(kind, Uuid | EntryName) else kind(value)


def _fact(root: TreePath) -> str:
    return f"acquaintance {root}"
