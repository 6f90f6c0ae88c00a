"""A person's mount under a real systemd: ready when mounted, restarted when killed, drained when stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.faults import Faults, proxy_beside
from tests.mounting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.mounting import Account, CountingServer

PROGRAM_TIMEOUT_S: Final = 100.0

LOGIN: Final = """
# A systemd that was not started by one refuses to run; it looks for this folder.
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR" && chmod 700 "$XDG_RUNTIME_DIR" || exit 1
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    test -w "$hierarchy/cgroup.procs" || continue
    mkdir -p "$hierarchy/$0" && echo $$ > "$hierarchy/$0/cgroup.procs"
done
dbus-daemon --session --address="unix:path=$XDG_RUNTIME_DIR/bus" --nofork &
until test -S "$XDG_RUNTIME_DIR/bus"; do sleep 0.05; done
/lib/systemd/systemd --user --unit=basic.target --log-target=console 2>"$HOME/systemd.log" &
until systemctl --user is-system-running >/dev/null 2>&1; do sleep 0.05; done
echo ready
cat
kill %2 && wait %2
kill %1
wait
"""
"""A person's login, in a table of mounts of its own; it ends with its standard input."""


class Session:
    """A person who is logged in: a home, a systemd of the person's own, and programs in it."""

    def __init__(self, process: subprocess.Popen[str], home: Path, environment: dict[str, str]) -> None:
        self.home = home
        self.mountpoint = home / "CX"
        self._pid = process.pid
        self._environment = environment

    def attempt(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """A program that may fail."""
        return subprocess.run(
            ["nsenter", f"--mount=/proc/{self._pid}/ns/mnt", *map(str, command)],
            env=self._environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROGRAM_TIMEOUT_S,
            check=False,
        )

    def run(self, *command: str | Path) -> str:
        """What a program says that must succeed."""
        done = self.attempt(*command)
        assert done.returncode == 0, f"{command}: {done.returncode}: {done.stderr}{self.log()}"
        return done.stdout

    def cxfs(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A command of cxfs, as it is installed."""
        return self.attempt(Path(sys.executable).with_name("cxfs"), *arguments)

    def install(self) -> None:
        """`cxfs service install`."""
        done = self.cxfs("service", "install", self.mountpoint)
        assert done.returncode == 0, f"{done.stderr}{self.log()}"

    def log(self) -> str:
        """What systemd and the daemon said last."""
        files = (self.home / name for name in ("systemd.log", "daemon.log"))
        return "\n".join(file.read_text(errors="replace")[-3000:] for file in files if file.exists())

    def tells(self, name: str) -> str:
        """A property of the unit."""
        return self.run("systemctl", "--user", "show", "--value", f"--property={name}", "cxfs@test.service").strip()

    def write(self, name: str, content: str) -> None:
        """A file in the mount."""
        self.run("sh", "-c", 'printf %s "$1" > "$0"', self.mountpoint / name, content)


@pytest.fixture
def session(own_account: Account) -> Iterator[Session]:
    """A person with the test's account as the profile `test`."""
    with tempfile.TemporaryDirectory(prefix="cxfs-test-") as folder:
        home = Path(folder)
        config = home / ".config/cxfs"
        config.mkdir(parents=True)
        (config / "token").write_text(own_account.token)
        (config / "token").chmod(0o600)
        (config / "config.toml").write_text(
            f'[profiles.test]\napi_url = "{own_account.url}"\nca_file = "{own_account.ca_file}"\ntoken_file = "token"\n'
        )
        kept = home / ".config/systemd/user/cxfs@.service.d/log.conf"  # there is no journal here
        kept.parent.mkdir(parents=True)
        kept.write_text("[Service]\nStandardError=append:%h/daemon.log\n")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "LC_ALL": "C.UTF-8",
            "XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}",
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path=/run/user/{os.getuid()}/bus",
        }
        command = ["unshare", "--mount", "--propagation=private", "bash", "-c", LOGIN, home.name]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            session = Session(process, home, environment)
            try:
                yield session
            finally:
                session.attempt("systemctl", "--user", "stop", "cxfs@test.service")


def test_a_person_installs_works_and_stops(session: Session, own_account: Account) -> None:
    """`cxfs service install` returns when it is mounted, and a stop when all is uploaded."""
    session.install()

    session.write("new.txt", "written")
    states = session.tells("ActiveState"), session.tells("StatusText")
    session.run("systemctl", "--user", "stop", "cxfs@test.service")

    assert states[0] == "active"
    assert "mounted" in states[1]
    assert session.tells("Result") == "success"
    assert own_account.content("/new.txt") == b"written"
    assert session.attempt("findmnt", "--mountpoint", session.mountpoint).returncode == 1


def test_the_unit_shows_that_the_server_is_away(session: Session, running_server: CountingServer) -> None:
    """In `systemctl status`, and again that it is back."""
    faults = Faults()
    config = session.home / ".config/cxfs/config.toml"
    with proxy_beside(faults, running_server) as proxy:
        config.write_text(
            config.read_text().replace(running_server.url, proxy.url) + 'options = "metadata_deadline=2"\n'
        )
        session.install()
        session.run("ls", session.mountpoint)
        faults.refuses()

        session.attempt("mkdir", session.mountpoint / "folder")
        wait_until(lambda: "; offline: " in session.tells("StatusText"))
        faults.opens()

        wait_until(lambda: session.tells("StatusText").endswith(str(session.mountpoint)))
        session.run("systemctl", "--user", "stop", "cxfs@test.service")  # while the server can still be had


def test_a_daemon_that_is_killed_comes_back_with_what_was_written(session: Session, own_account: Account) -> None:
    """No dead mount point, and no manual work."""
    session.install()
    session.write("new.txt", "written")

    os.kill(int(session.tells("MainPID")), signal.SIGKILL)
    wait_until(lambda: session.tells("NRestarts") == "1" and session.tells("ActiveState") == "active")

    assert session.run("cat", session.mountpoint / "new.txt") == "written"


def test_a_daemon_that_stands_still_is_replaced(session: Session) -> None:
    """It tells systemd that it lives only as long as its loop turns."""
    (session.home / ".config/systemd/user/cxfs@.service.d/watch.conf").write_text("[Service]\nWatchdogSec=1s\n")
    session.install()
    first = session.tells("MainPID")

    os.kill(int(first), signal.SIGSTOP)
    wait_until(lambda: session.tells("NRestarts") == "1" and session.tells("ActiveState") == "active", deadline_s=60)

    assert session.run("ls", session.mountpoint) == ""


def test_a_refused_token_ends_the_service_instead_of_restarting_it(session: Session) -> None:
    """Restarts would be refused again and again; the unit's last line says why."""
    (session.home / ".config/cxfs/token").write_text("a-token-that-nobody-made-0123456789")

    done = session.cxfs("service", "install", session.mountpoint)

    assert done.returncode == 1
    assert session.tells("NRestarts") == "0"
    assert session.tells("ExecMainStatus") == "4"


def test_uninstall_takes_all_of_it_away(session: Session) -> None:
    """The mount, the link, and the unit when no other profile uses it; a drop-in is the person's own."""
    session.install()

    done = session.cxfs("service", "uninstall")

    assert (done.returncode, done.stdout) == (0, "test is unmounted and no service any more\n")
    assert [path.name for path in (session.home / ".config/systemd").rglob("*") if not path.is_dir()] == ["log.conf"]
    assert session.attempt("findmnt", "--mountpoint", session.mountpoint).returncode == 1
