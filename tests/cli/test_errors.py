"""Every failure is one line that says what to do, and a status that scripts know."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from cxfs.cli.exits import Exit, Refusal, refusal_of
from cxfs.cli.profiles import absence_explained
from cxfs.config import Profile
from cxfs.core.errors import Unreachable
from cxfs.mounts import hold_lock
from tests.mounting import wait_until
from tests.server_process import ServerProcess, free_port

if TYPE_CHECKING:
    from tests.cli.terminal import QuickTerminal, Terminal

TOKEN = "a-token-that-nobody-may-see"

WITHOUT_PACKAGES = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from cxfs.cli import main
main()
"""


@pytest.fixture
def nowhere(terminal: Terminal) -> Terminal:
    """Signed in, with a server that is not there."""
    terminal.configure(f'[profiles.home]\napi_url = "http://127.0.0.1:{free_port()}"\nallow_http = true\n')
    (terminal.home / "mnt").mkdir()
    return terminal.but(CXFS_ACCESS_TOKEN=TOKEN)


# ------------------------------------------------------------------------------------------------ the command line


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["frobnicate"], "'frobnicate'"),
        (["--frobnicate"], "'--frobnicate'"),
        (["mount"], "'MOUNTPOINT'"),
        (["mount", "-o", "ro,frobnicate", "mnt"], "-o frobnicate"),
        (["mount", "-o", "umask=999", "mnt"], "-o umask=999"),
        (["mount", "-o", "uid=nobody-of-that-name", "mnt"], "-o uid=nobody-of-that-name"),
        (["mount", "--cache-size", "much", "mnt"], "'--cache-size'"),
        (["umount", "--wait", "-1", "mnt"], "'--wait'"),
        (["serve", "there", "--port", "0"], "'--port'"),
        (["serve", "there", "user", "quota", "ann", "99999999T"], "'SIZE'"),
        (["serve", "there", "group", "member", "team", "ann", "king"], "'king'"),
        (["help", "frobnicate"], "'frobnicate'"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_a_wrong_command_line_names_the_wrong_word(terminal: Terminal, arguments: list[str], named: str) -> None:
    """And where its help is."""
    said = terminal.cxfs(*arguments)

    assert said.status == Exit.USAGE
    assert named in said.line
    assert said.line.endswith("--help)")


# ------------------------------------------------------------------------------------------------ who and where


def test_an_unknown_key_is_named_with_its_place(terminal: Terminal) -> None:
    """A misspelt key would otherwise be a silent default."""
    file = terminal.configure('[profiles.work]\napi_uri = "https://cx.example.org"\n')

    said = terminal.cxfs("whoami")

    assert said.status == Exit.CONFIG
    assert f"{file}: profiles.work.api_uri: unknown key" in said.line


def test_a_named_configuration_that_is_missing(terminal: Terminal) -> None:
    """`CXFS_CONFIG` asks for that file, not for the defaults."""
    said = terminal.but(CXFS_CONFIG="nowhere.toml").cxfs("whoami")

    assert said.status == Exit.CONFIG
    assert "nowhere.toml: no such file" in said.line


def test_a_profile_that_is_not_there(terminal: Terminal) -> None:
    """With the file in which to add it."""
    said = terminal.cxfs("mount", "-p", "work", "mnt")

    assert said.status == Exit.CONFIG
    assert f"[profiles.work] to {terminal.home}/.config/cxfs/config.toml" in said.line


def test_without_configuration_the_token_is_what_is_missed_first(terminal: Terminal) -> None:
    """Nothing is asked of any server before there is one."""
    said = terminal.cxfs("whoami")

    assert said.status == Exit.SIGNED_OUT
    assert "not signed in: cxfs login --profile default (or set CXFS_ACCESS_TOKEN" in said.line


def test_a_server_that_is_not_there(nowhere: Terminal) -> None:
    """Asked a few times over some seconds, then given up: nothing is mounted that could only fail."""
    said = nowhere.cxfs("mount", "--foreground", "--log-file", "log", "mnt")

    assert said.status == Exit.UNREACHABLE
    assert "127.0.0.1" in said.line
    assert TOKEN not in said.line + (nowhere.home / "log").read_text(encoding="utf-8")


def test_the_documented_service_is_said_to_be_gone() -> None:
    """It is the default of the documents, and answers no more: the way on is a server of one's own."""
    with (
        pytest.raises(Unreachable, match=r"the service at cx\.com is gone: cxfs login --server URL signs in elsewhere"),
        absence_explained(Profile("default")),
    ):
        raise Unreachable("no answer")


# ------------------------------------------------------------------------------------------------ mounting


def test_a_mount_point_that_is_missing(nowhere: Terminal) -> None:
    """It is not made by mistake."""
    said = nowhere.cxfs("mount", "not-there")

    assert said.status == Exit.MOUNT_POINT
    assert said.line == f"cxfs: {nowhere.home}/not-there does not exist: mkdir it first"


def test_a_mount_point_that_is_a_file(nowhere: Terminal) -> None:
    """Said before the server is asked."""
    (nowhere.home / "file").touch()

    said = nowhere.cxfs("mount", "file")

    assert said.status == Exit.MOUNT_POINT
    assert "file is not a folder" in said.line


def test_a_mount_point_of_the_profile_that_cannot_be_made(quick: QuickTerminal) -> None:
    """A mount point like any other that is of no use."""
    (quick.home / "file").touch()
    quick.configure(f'[profiles.home]\napi_url = "https://127.0.0.1:1"\nmountpoint = "{quick.home}/file/below"\n')

    said = quick.cxfs("mount")

    assert said.status == Exit.MOUNT_POINT
    assert said.line == f"cxfs: {quick.home}/file/below cannot be made: Not a directory"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_cannot_be_read(quick: QuickTerminal, content: str | None) -> None:
    """It is the configuration that names it."""
    file = quick.home / "ca.pem"
    if content is not None:
        file.write_text(content)
    quick.configure(f'[profiles.home]\napi_url = "https://127.0.0.1:1"\nca_file = "{file}"\n')

    said = quick.but(CXFS_ACCESS_TOKEN=TOKEN).cxfs("whoami")

    assert said.status == Exit.CONFIG
    assert f"cannot use the CA file {file}: " in said.line


@pytest.mark.parametrize("name", ["mnt", "not-there"])
def test_what_is_not_mounted_is_not_unmounted(nowhere: Terminal, name: str) -> None:
    """Whether or not there is a folder."""
    said = nowhere.cxfs("umount", name)

    assert said.status == Exit.MOUNT_POINT
    assert said.line == f"cxfs: {nowhere.home}/{name} is not mounted"


def test_a_mount_of_others_is_left_to_them(terminal: Terminal) -> None:
    """`umount` of the system knows how to end it."""
    said = terminal.cxfs("umount", "/proc")

    assert said.status == Exit.MOUNT_POINT
    assert said.line == "cxfs: /proc is not a cxfs mount but proc: use umount"


def test_a_profile_that_is_mounted_already(nowhere: Terminal) -> None:
    """Told before the server is asked, with the place and the process."""
    with hold_lock(nowhere.home / ".local/state/cxfs/home", nowhere.home / "elsewhere"):
        said = nowhere.cxfs("mount", "mnt")

    assert said.status == Exit.ALREADY_MOUNTED
    assert f"{nowhere.home}/elsewhere (process {os.getpid()})" in said.line


def test_a_machine_without_the_device(nowhere: Terminal) -> None:
    """In a container above all: the line says what to start it with."""
    program = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /dev && exec "$0" -m cxfs mount "$1"']

    done = subprocess.run(
        [*program, sys.executable, nowhere.home / "mnt"],
        env=nowhere.environment, cwd=nowhere.home, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == Exit.NO_FUSE
    assert done.stderr.startswith("cxfs: /dev/fuse is missing: modprobe fuse")
    assert len(done.stderr.splitlines()) == 1


# ------------------------------------------------------------------------------------------------ hosting


@pytest.mark.parametrize("package", ["starlette", "granian", "argon2"])
def test_a_server_without_its_packages_says_what_to_install(terminal: Terminal, package: str) -> None:
    """`pip install cxfs` brings the client alone."""
    said = terminal.python(WITHOUT_PACKAGES.format(missing={package}), "serve", "there")

    assert said.status == Exit.NO_SERVER
    assert said.line.endswith("pip install 'cxfs[server]'")


def test_a_demo_without_its_packages_says_what_to_install(terminal: Terminal) -> None:
    """The pictures are painted with one that a server does not need."""
    said = terminal.python(WITHOUT_PACKAGES.format(missing={"PIL"}), "demo")

    assert said.status == Exit.NO_SERVER
    assert said.err.splitlines()[-1].endswith("pip install 'cxfs[demo]'")
    assert not (terminal.home / "cx-demo").exists()


def test_a_user_who_is_not_there(terminal: Terminal) -> None:
    """By name."""
    said = terminal.cxfs("serve", "there", "token", "zoe")

    assert (said.status, said.line) == (Exit.FAILED, "cxfs: there is no user 'zoe'")


def test_plain_http_is_refused_off_loopback(terminal: Terminal) -> None:
    """Tokens would travel readable."""
    said = terminal.cxfs("serve", "there", "--insecure", "--host", "0.0.0.0")

    assert said.status == Exit.FAILED
    assert "--insecure is for a loopback address only" in said.line


def test_a_port_that_is_taken(terminal: Terminal, running_server: ServerProcess) -> None:
    """By whoever it is."""
    said = terminal.cxfs("serve", "there", "--port", str(running_server.port))

    assert said.status == Exit.FAILED
    assert f"cannot listen at 127.0.0.1 port {running_server.port}" in said.line


# ------------------------------------------------------------------------------------------------ bugs and the rest


def test_a_bug_is_one_line_that_shows_nothing_of_what_it_held() -> None:
    """The text of an unknown error may hold anything, a token too."""
    refusal = refusal_of(RuntimeError(f"https://127.0.0.1/?access_token={TOKEN}"))

    assert refusal.code == Exit.BUG
    assert refusal.text == "unexpected RuntimeError: a fault in cxfs; CXFS_DEBUG=1 shows where"


def test_a_file_that_cannot_be_read_is_named() -> None:
    """Of the errors of the system, what and why."""
    refusal = refusal_of(PermissionError(13, "Permission denied", "/root/secret"))

    assert (refusal.code, refusal.text) == (Exit.FAILED, "/root/secret: Permission denied")


def test_a_refusal_is_one_line_whatever_is_in_it() -> None:
    """A name may hold a line break."""
    assert Refusal(Exit.FAILED, "no folder 'a\nb'").text == "no folder 'a b'"
    assert refusal_of(click.ClickException("first\nsecond")).text == "first second"


def test_debugging_shows_where_an_error_came_from(nowhere: Terminal) -> None:
    """The traceback first, the line last; and still no token."""
    said = nowhere.but(CXFS_DEBUG="1").cxfs("whoami")

    assert said.status == Exit.UNREACHABLE
    assert said.err.startswith("Traceback") or "\nTraceback" in said.err
    assert said.err.splitlines()[-1].startswith("cxfs: ")
    assert TOKEN not in said.err


def test_ctrl_c_is_no_failure_of_ours(terminal: Terminal) -> None:
    """Interrupted while it waits for a program that gives no token."""
    (terminal.home / "ask.py").write_text("import signal; open('asked', 'w').close(); signal.pause()")
    terminal.configure(f'[profiles.home]\ntoken_command = "{sys.executable} ask.py"\n')
    with subprocess.Popen(
        [sys.executable, "-m", "cxfs", "whoami"],
        env=terminal.environment, cwd=terminal.home, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        wait_until((terminal.home / "asked").exists)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert process.returncode == Exit.INTERRUPTED
    assert err.strip() == "cxfs: interrupted"
