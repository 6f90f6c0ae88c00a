"""Accounts in fstab: what mount(8) and umount(8) do with them as root, at the terminal and at boot."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.mounting import Account

PROGRAM_TIMEOUT_S: Final = 60.0

OWN_FOLDERS: Final = """
mount -t tmpfs tmpfs "$0" || exit 1
for folder in /etc /var/lib /var/cache /usr/sbin /root; do
    upper="$0/upper$folder" work="$0/work$folder"
    mkdir -p "$upper" "$work" || exit 1
    mount -t overlay overlay -o "lowerdir=$folder,upperdir=$upper,workdir=$work" "$folder" || exit 1
done
mknod -m 666 "$0/fuse" c 10 229 && mount --bind "$0/fuse" /dev/fuse || exit 1
chmod 755 /root && mkdir "$0/mnt" && echo ready && cat
"""
"""A machine of one's own: what is written to the system's folders is gone with the process.

/root is among them and open, since the interpreter may live there; so is the FUSE device."""

CXFS: Final = str(Path(sys.executable).with_name("cxfs"))
CONFIG: Final = """\
[profiles.work]
api_url = "{url}"
ca_file = "{ca_file}"
token_file = "token"
"""


class Machine:
    """Another table of mounts, in which root may write everywhere; commands run there as at boot, without a home."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.mountpoint = folder / "mnt"
        self._root = Path(f"/proc/{pid}/root")
        self._enter = ["nsenter", f"--mount=/proc/{pid}/ns/mnt"]

    def write(self, path: Path, text: str, *, mode: int = 0o600) -> None:
        """A file of this machine."""
        self.run("mkdir", "-p", str(path.parent))
        self.run("sh", "-c", f'umask 077; cat > "$0" && chmod {mode:o} "$0"', str(path), text=text)

    def attempt(self, *command: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """A program that may fail, in the surroundings that systemd gives."""
        return subprocess.run(
            [*self._enter, *command],
            input=text,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=PROGRAM_TIMEOUT_S,
            check=False,
        )

    def run(self, *command: str, text: str = "", **environment: str) -> str:
        """What a program says that must succeed."""
        done = self.attempt(*command, text=text, **environment)
        assert done.returncode == 0, f"{command}: {done.returncode}: {done.stderr}"
        return done.stdout

    def mount(self, options: str, source: str = "work:") -> subprocess.CompletedProcess[str]:
        """`mount -t cxfs`."""
        return self.attempt("mount", "-t", "cxfs", source, str(self.mountpoint), "-o", options)

    def umount(self) -> subprocess.CompletedProcess[str]:
        """`umount`."""
        return self.attempt("umount", str(self.mountpoint))

    def end(self) -> None:
        """No daemon of it is left, whatever state it is in."""
        while self.attempt("findmnt", "--mountpoint", str(self.mountpoint)).returncode == 0:
            self.run("umount", "-i", "-l", str(self.mountpoint))


@pytest.fixture
def machine(own_account: Account) -> Iterator[Machine]:
    """With cxfs installed for mount(8), and the test's account as its profile `work`."""
    with tempfile.TemporaryDirectory(prefix="cxfs-test-") as folder:
        command = ["unshare", "--mount", "--propagation=private", "sh", "-c", OWN_FOLDERS, folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            machine = Machine(process.pid, Path(folder))
            machine.run(CXFS, "service", "install", "--system")
            machine.write(
                Path("/etc/cxfs/config.toml"), CONFIG.format(url=own_account.url, ca_file=own_account.ca_file)
            )
            machine.write(Path("/etc/cxfs/token"), own_account.token)
            try:
                yield machine
            finally:
                machine.end()


def test_mount_t_cxfs_mounts_with_the_words_of_fstab(machine: Machine, own_account: Account) -> None:
    """What is for others is dropped, what is for us holds."""
    own_account.put("/there.txt", b"there")

    done = machine.mount("ro,uid=1234,gid=2345,umask=077,allow_other,noatime,nofail,_netdev,x-systemd.automount")
    said = machine.run("stat", "--format=%a %u %g", f"{machine.mountpoint}/there.txt")
    refused = machine.attempt("touch", f"{machine.mountpoint}/new")

    assert (done.returncode, done.stderr) == (0, "")
    assert said == "600 1234 2345\n"
    assert "Read-only file system" in refused.stderr


def test_a_folder_of_the_account_is_mounted_by_its_path(machine: Machine, own_account: Account) -> None:
    """As with NFS; a comma in it is escaped as fstab has it."""
    own_account.make_folder("/this, and that")
    own_account.put("/this, and that/inner.txt", b"inner")

    done = machine.mount("ro", source="work:/this, and that")

    assert (done.returncode, done.stderr) == (0, "")
    assert machine.run("ls", str(machine.mountpoint)) == "inner.txt\n"


def test_umount_returns_when_the_server_has_everything(machine: Machine, own_account: Account) -> None:
    """Where the line says `_netdev`: then umount(8) leaves it to us, and a shutdown cuts no upload off."""
    machine.mount("rw,_netdev")
    machine.run("sh", "-c", 'echo written > "$0"', f"{machine.mountpoint}/new.txt")

    done = machine.umount()

    assert (done.returncode, done.stderr) == (0, "")
    assert own_account.content("/new.txt") == b"written\n"


def test_mount_a_mounts_what_fstab_says_and_knows_it_again(machine: Machine) -> None:
    """The line's source stands in the table of mounts, so that a second `mount -a` leaves it alone."""
    machine.write(Path("/etc/fstab"), f"work: {machine.mountpoint} cxfs rw,user,x-systemd.automount,_netdev 0 0\n")

    first = machine.attempt("mount", "-a")
    second = machine.attempt("mount", "-a", "-v")
    said = machine.run("findmnt", "--noheadings", "--output=FSTYPE,SOURCE", "--mountpoint", str(machine.mountpoint))

    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, "already mounted" in second.stdout) == (0, True)
    assert said.split() == ["fuse.cxfs", "work:"]


def test_whoever_types_the_command_mounts_the_same(machine: Machine) -> None:
    """A mount by root is the machine's: neither root's home nor its environment says what it is."""
    home = Path("/etc/home")  # any folder of this machine
    machine.write(home / ".config/cxfs/config.toml", "[profiles.other]\n")
    helper = ["mount", "-t", "cxfs", "work:", str(machine.mountpoint)]

    machine.run(*helper, HOME=str(home), CXFS_CONFIG="/nowhere", XDG_STATE_HOME="/nowhere")
    listed = machine.run("ls", "/var/lib/cxfs", "/var/cache/cxfs")
    umounted = machine.attempt(CXFS, "umount", str(machine.mountpoint), HOME=str(home))

    assert listed.split() == ["/var/cache/cxfs:", "work", "/var/lib/cxfs:", "work"]
    assert (umounted.returncode, umounted.stderr) == (0, "")


def test_config_names_another_configuration(machine: Machine, own_account: Account) -> None:
    """For machines with several, and for trying one out."""
    machine.write(
        Path("/etc/elsewhere.toml"),
        CONFIG.format(url=own_account.url, ca_file=own_account.ca_file).replace('"token"', '"cxfs/token"'),
    )
    machine.run("rm", "/etc/cxfs/config.toml")

    without = machine.mount("rw")
    done = machine.mount("rw,config=/etc/elsewhere.toml")

    assert (without.returncode, "/etc/cxfs/config.toml" in without.stderr) == (1, True)
    assert (done.returncode, done.stderr) == (0, "")


def test_setuid_mounts_as_a_person(machine: Machine, own_account: Account) -> None:
    """With the person's own profile, token, and folders."""
    home = machine.mountpoint.parent / "ann"
    machine.run("useradd", "--create-home", "--home-dir", str(home), "ann")
    machine.run("chmod", "755", str(home.parent), str(home))
    readable = home / "ca.pem"
    assert own_account.ca_file is not None
    machine.write(readable, own_account.ca_file.read_text(), mode=0o644)
    machine.write(home / ".config/cxfs/config.toml", CONFIG.format(url=own_account.url, ca_file=readable))
    machine.write(home / ".config/cxfs/token", own_account.token)
    machine.run("chown", "-R", "ann:", str(home))
    machine.run("chown", "ann:", str(machine.mountpoint))
    own_account.put("/hers.txt", b"hers")

    done = machine.mount("setuid=ann")
    said = machine.run("setpriv", "--reuid=ann", "--regid=ann", "--clear-groups", "ls", "-l", str(machine.mountpoint))

    assert (done.returncode, done.stderr) == (0, "")
    assert said.splitlines()[1].split()[2:4] == ["ann", "ann"]
    assert machine.umount().returncode == 0


@pytest.mark.parametrize(
    ("options", "source", "status", "complaint"),
    [
        ("rw,colour=blue", "work:", 1, "-o colour: no such mount option"),
        ("uid=nobody-here", "work:", 1, "-o uid=nobody-here: no such user on this machine"),
        ("remount,ro", "work:", 1, "-o remount: a mount's options cannot be changed"),
        ("rw", "work", 1, "expected a profile with a colon, such as work:"),
        ("rw", "nobody:", 1, "no profile 'nobody': add [profiles.nobody] to /etc/cxfs/config.toml"),
        ("setuid=nobody-here", "work:", 1, "-o setuid=nobody-here: no such user"),
        ("root=/nowhere", "work:", 32, "there is no 'nowhere'"),
    ],
)
def test_what_cannot_be_mounted_is_said_in_a_line(
    machine: Machine, options: str, source: str, status: int, complaint: str
) -> None:
    """With a status that mount(8) defines."""
    done = machine.mount(options, source)

    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1
    assert complaint in done.stderr


def test_the_machines_services_are_put_in_place_and_taken_away(machine: Machine) -> None:
    """Links where mount(8) looks, the server's unit, the folders and the user that they need."""
    unit = machine.run("cat", "/etc/systemd/system/cxfs-server.service")
    modes = machine.run("stat", "--format=%n %a", "/etc/cxfs", "/var/lib/cxfs", "/var/cache/cxfs")
    user = machine.run("getent", "passwd", "cxfs-server")

    removed = machine.run(CXFS, "service", "uninstall", "--system")

    assert f"ExecStart={CXFS} serve" in unit
    assert modes == "/etc/cxfs 700\n/var/lib/cxfs 700\n/var/cache/cxfs 700\n"
    assert ":/var/lib/cxfs-server:" in user
    assert len(removed.splitlines()) == 7
    assert machine.mount("rw").returncode != 0


def test_sloppy_ignores_what_it_does_not_know(machine: Machine) -> None:
    """`mount -s`, for a line that several systems share."""
    done = machine.attempt("mount", "-s", "-t", "cxfs", "work:", str(machine.mountpoint), "-o", "colour=blue")

    assert (done.returncode, done.stderr) == (0, "")


def test_fake_mounts_nothing(machine: Machine) -> None:
    """`mount -f` checks the words."""
    good = machine.attempt("mount", "-f", "-t", "cxfs", "work:", str(machine.mountpoint))
    bad = machine.attempt("mount", "-f", "-t", "cxfs", "work:", str(machine.mountpoint), "-o", "colour=blue")

    assert (good.returncode, bad.returncode) == (0, 1)
    assert machine.attempt("findmnt", "--mountpoint", str(machine.mountpoint)).returncode == 1
