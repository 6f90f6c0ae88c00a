"""`cxfs sync` with the daemon's words given: what a program is told, and the status for each way it can end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from cxfs.cli.exits import Exit
from cxfs.control.protocol import Failure

if TYPE_CHECKING:
    from tests.cli.daemons import SpokenDaemon
    from tests.cli.terminal import QuickTerminal

NEWS: Final = {"files": 2, "files_left": 1, "bytes": 9, "bytes_left": 5, "deletions_left": 0, "folders_left": 0,
               "trouble": None}  # fmt: skip
DONE: Final[dict[str, Any]] = {"files": 2, "bytes": 9, "failures": 0, "parked": [], "conflicts": [], "restless": []}


@pytest.fixture
def daemon(daemon: SpokenDaemon) -> SpokenDaemon:
    daemon.answers["sync"] = [NEWS, DONE]
    return daemon


def test_what_is_at_the_server_needs_no_word(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """A script goes by the status."""
    said = quick.cxfs("sync", "mnt")

    assert (said.status, said.out, said.err) == (Exit.OK, "", "")


def test_all_of_every_mount_can_be_synced(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """Without naming them."""
    assert quick.cxfs("sync", "--all").status == Exit.OK
    assert daemon.asked == [("sync", {"path": ""})]


def test_programs_get_what_became_of_each_place(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """Also where it is a failure."""
    daemon.answers["sync"] = {**DONE, "failures": 1, "parked": [["a", "full"]]}

    said = quick.cxfs("sync", "--json", "mnt")

    assert said.status == Exit.SET_APART
    assert json.loads(said.out) == [{"path": str(daemon.mountpoint), **DONE, "failures": 1, "parked": [["a", "full"]]}]


@pytest.mark.parametrize(
    ("result", "status", "told"),
    [
        ({"failures": 1, "parked": [["a", "full"]]}, Exit.SET_APART, "a: parked: full"),
        ({"failures": 1, "conflicts": [["a", "b"]]}, Exit.SET_APART, "a: changed on the server as well; yours is at"),
        ({"failures": 1, "restless": ["a"]}, Exit.NOT_SYNCED, "a: is being written faster than it can be sent"),
    ],
)
def test_what_did_not_arrive_is_named(
    quick: QuickTerminal, daemon: SpokenDaemon, result: dict[str, Any], status: Exit, told: str
) -> None:
    """With a status that tells whether it goes on by itself."""
    daemon.answers["sync"] = {**DONE, **result}

    said = quick.cxfs("sync", "mnt")

    assert (said.status, said.out) == (status, "")
    assert f"{daemon.mountpoint}/{told}" in said.err


def test_a_place_where_nothing_is_is_refused(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """Before the daemon is asked where the name is not there, and as it says otherwise."""
    daemon.answers["sync"] = Failure("refused", "it went away")

    absent, gone = quick.cxfs("sync", "mnt/absent"), quick.cxfs("sync", "mnt")

    assert (absent.status, "No such file" in absent.line) == (Exit.FAILED, True)
    assert (gone.status, gone.line) == (Exit.FAILED, "cxfs: it went away")
