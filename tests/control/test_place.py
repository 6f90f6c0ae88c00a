"""Where the control socket is, and who may be at its other end."""

from __future__ import annotations

import os
import socket
import stat
import sys
from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.control.client import ControlClient, ControlUnavailable
from cxfs.control.place import ControlPlaceTrouble, connect, listening, peer_uid, socket_path
from cxfs.control.protocol import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.control.conftest import Serving


def runtime_folder(tmp_path: Path, mode: int = 0o700) -> Path:
    """As systemd makes it at a login."""
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(mode)
    return folder


def test_it_is_in_the_runtime_folder_of_the_session(tmp_path: Path) -> None:
    """Gone with the session, and never on a disk."""
    runtime = runtime_folder(tmp_path)

    path = socket_path(tmp_path / "state" / "work", {"XDG_RUNTIME_DIR": str(runtime)})

    assert path.parent == runtime / "cxfs"
    assert path.name.startswith("work-")


def test_profiles_of_one_name_in_different_homes_have_different_sockets(tmp_path: Path) -> None:
    """The lock belongs to the state folder, so must the name."""
    environ = {"XDG_RUNTIME_DIR": str(runtime_folder(tmp_path))}

    assert socket_path(tmp_path / "a" / "work", environ) != socket_path(tmp_path / "b" / "work", environ)


@pytest.mark.parametrize("named", ["", "run", "/nowhere/at/all"])
def test_without_a_runtime_folder_it_is_with_the_journal(tmp_path: Path, named: str) -> None:
    """A system service, cron, a container."""
    state_folder = tmp_path / "state" / "work"

    assert socket_path(state_folder, {"XDG_RUNTIME_DIR": named}) == state_folder / "control.sock"
    assert socket_path(state_folder, {}) == state_folder / "control.sock"


def test_a_runtime_folder_that_others_can_enter_is_none(tmp_path: Path) -> None:
    """The specification wants 0700; and sudo hands on the one of somebody else."""
    runtime = runtime_folder(tmp_path, 0o755)
    state_folder = tmp_path / "state" / "work"

    assert socket_path(state_folder, {"XDG_RUNTIME_DIR": str(runtime)}) == state_folder / "control.sock"


def test_the_folder_is_made_for_its_owner_alone(path: Path) -> None:
    """Whoever may connect may discard what was not sent."""
    with listening(path):
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_ISSOCK(path.stat().st_mode)

    assert not path.exists()


def test_a_folder_that_others_can_enter_is_refused_on_both_sides(path: Path) -> None:
    """What is in it may be anybody's."""
    path.parent.mkdir(mode=0o755)
    path.parent.chmod(0o755)

    with pytest.raises(ControlPlaceTrouble, match="must belong to you alone"), listening(path):
        pass
    with pytest.raises(ControlPlaceTrouble, match="must belong to you alone"):
        connect(path, timeout_s=1)


def test_a_dead_daemons_socket_is_replaced(path: Path) -> None:
    """It was killed, and could not remove it."""
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ControlUnavailable, match="no daemon answers"):
        ControlClient(path)

    with listening(path):
        connect(path, timeout_s=1).close()


def test_what_is_in_the_way_and_no_file_is_named(path: Path) -> None:
    """Nothing is deleted that we cannot have made."""
    path.mkdir(mode=0o700, parents=True)
    path.parent.chmod(0o700)

    with pytest.raises(ControlPlaceTrouble, match=str(path)), listening(path):
        pass
    assert path.is_dir()


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    """sockaddr_un holds 108 bytes, a home folder may be longer."""
    path = tmp_path / ("x" * 200) / "control.sock"

    with listening(path):
        connect(path, timeout_s=1).close()


def test_nobody_there_is_said_in_words(path: Path) -> None:
    """No folder, no socket."""
    with pytest.raises(ControlUnavailable, match=f"no daemon answers at {path}"):
        ControlClient(path)


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    """Not what they claim."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_uid(ours) == os.geteuid()


async def test_another_users_program_is_refused(serving: Serving, path: Path) -> None:
    """Also when it got at the socket somehow: here by a descriptor of the folder."""
    program = (
        "import os, socket, sys\n"
        "folder = os.open(sys.argv[1], os.O_RDONLY)\n"
        "os.chmod(sys.argv[1] + '/work.sock', 0o777)\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "client = socket.socket(socket.AF_UNIX)\n"
        "os.fchdir(folder)\n"
        "client.connect('work.sock')\n"
        "print(client.makefile().readline())\n"
    )
    async with serving():
        path.parent.chmod(0o711)
        done = await trio.run_process([sys.executable, "-c", program, str(path.parent)], capture_stdout=True)

    assert f'"{Kind.STRANGER}"'.encode() in done.stdout
