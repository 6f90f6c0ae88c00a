"""Problems, planted one at a time where the doctor looks: each is found, alone, and its remedy named."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from cxfs.config import Profile
from cxfs.control.protocol import Failure
from cxfs.core.errors import SignedOut, Unreachable, Untrusted
from cxfs.credentials import AccessToken, CredentialsError
from cxfs.doctor import account, machine, mountpoints
from cxfs.doctor.account import Account
from cxfs.doctor.findings import Finding, Level
from cxfs.doctor.machine import Machine
from cxfs.doctor.mountpoints import Mounts
from cxfs.remote.probing import Probe
from cxfs.service import Throughput
from tests.cli.daemons import STATUS, SpokenDaemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY_S: Final = 86_400.0
GB: Final = 1 << 30


@dataclass
class World:
    """All that the doctor looks at, in order. A test breaks one thing of it."""

    machine: Machine
    mounts: Mounts
    account: Account
    daemon: SpokenDaemon
    dead: set[Path] = field(default_factory=set)

    @property
    def place(self) -> Path:
        """The mount."""
        return self.daemon.mountpoint

    def findings(self) -> list[Finding]:
        """What a whole look comes to."""
        about_mounts, answering = mountpoints.examined(self.mounts)
        return [
            machine.device(self.machine),
            machine.helper(self.machine),
            machine.allow_other(self.machine),
            machine.disk(self.machine, "disk", self.mounts.state_home),
            *about_mounts,
            *machine.indexers(self.machine, answering),
            *account.examined(self.account),
        ]

    def is_mounted(self, *places: Path) -> None:
        """The kernel's table says so."""
        lines = [f"66 27 0:45 / {each} rw,nosuid - fuse.cxfs cxfs:home rw,user_id=0\n" for each in places]
        self.mounts.table.write_text("22 27 0:5 / /proc rw - proc proc rw\n" + "".join(lines))

    def runs(self, program: str) -> None:
        """A program runs."""
        (self.machine.proc / "77").mkdir()
        (self.machine.proc / "77/comm").write_text(f"{program}\n")

    def says(self, **changed: Any) -> None:
        """The daemon's status has these words."""
        self.daemon.answers["status"] = {**STATUS, **changed}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    home = tmp_path / "home"
    place = home / "CX"
    place.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    etc, proc, bdi = tmp_path / "etc", tmp_path / "proc", tmp_path / "bdi"
    for folder in (etc, proc / "1", proc / "net", bdi / "0:45"):
        folder.mkdir(parents=True)
    (etc / "fuse.conf").write_text("# user_allow_other\nuser_allow_other\n")
    (etc / "updatedb.conf").write_text(
        'PRUNE_BIND_MOUNTS="yes"\nPRUNEFS="NFS afs fuse.cxfs proc"\nPRUNEPATHS="/var/spool"\n'
    )
    (proc / "1/comm").write_text("init\n")
    (bdi / "0:45/read_ahead_kb").write_text("4096\n")
    state_home = home / "state"
    dead: set[Path] = set()
    with SpokenDaemon(state_home / "home", place) as daemon:
        world = World(
            Machine(
                device=Path("/dev/null"),
                fuse_conf=etc / "fuse.conf",
                updatedb_conf=etc / "updatedb.conf",
                baloo_conf=home / "baloofilerc",
                proc=proc,
                is_root=False,
                find=lambda program: f"/usr/bin/{program}",
                free_bytes=lambda _: 100 * GB,
            ),
            Mounts(state_home, table=tmp_path / "mountinfo", bdi=bdi, is_dead=dead.__contains__),
            Account(
                Profile("home", api_url="https://cx.example.org"),
                token=lambda: AccessToken.parse("t" * 40, "test"),
                probe=lambda: Probe(0.01, 0.02, 0.4, 300 * DAY_S),
                who=lambda _: "ann",
                throughput=lambda _: Throughput(16 << 20, 0.1),
            ),
            daemon,
            dead,
        )
        world.is_mounted(place)
        yield world


def raises(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


# ------------------------------------------------------------------------------------------------ how each is planted


def no_device(world: World) -> None:
    world.machine = replace(world.machine, device=Path("/dev/absent"))


def no_helper(world: World) -> None:
    world.machine = replace(world.machine, find=lambda _: None)


def others_shut_out(world: World) -> None:
    world.machine.fuse_conf.write_text("#user_allow_other\n")


def full_disk(world: World) -> None:
    world.machine = replace(world.machine, free_bytes=lambda _: 10 << 20)


def dead_mount(world: World) -> None:
    world.is_mounted(world.place, Path("/home/ann/old"))
    world.dead.add(Path("/home/ann/old"))


def silent_daemon(world: World) -> None:
    world.daemon.answers["status"] = Failure("fault", "status failed")


def unmounted_behind_its_back(world: World) -> None:
    world.is_mounted()


def parked_uploads(world: World) -> None:
    world.says(remaining={**STATUS["remaining"], "parked": 2})


def short_read_ahead(world: World) -> None:
    (world.mounts.bdi / "0:45/read_ahead_kb").write_text("128\n")


def updatedb(world: World) -> None:
    world.machine.updatedb_conf.write_text('PRUNEFS="NFS afs proc fuse.sshfs"\nPRUNEPATHS="/var/spool"\n')


def tracker(world: World) -> None:
    world.runs("tracker-miner-f")


def baloo(world: World) -> None:
    world.runs("baloo_file")


def no_token(world: World) -> None:
    world.account = replace(world.account, token=raises(CredentialsError("not signed in")))


def refused_token(world: World) -> None:
    world.account = replace(world.account, who=raises(SignedOut("BadAuthToken")))


def absent_server(world: World) -> None:
    world.account = replace(world.account, probe=raises(Unreachable("no answer")))


def documented_service(world: World) -> None:
    world.account = replace(world.account, profile=Profile("home"), probe=raises(Unreachable("no answer")))


def foreign_certificate(world: World) -> None:
    world.account = replace(world.account, probe=raises(Untrusted("self-signed certificate")))


def old_certificate(world: World) -> None:
    world.account = replace(world.account, probe=lambda: Probe(0.01, 0.02, 0.4, 3 * DAY_S))


def wrong_clock(world: World) -> None:
    world.account = replace(world.account, probe=lambda: Probe(0.01, 0.02, -4_000.0, 300 * DAY_S))


def far_server(world: World) -> None:
    world.account = replace(world.account, probe=lambda: Probe(0.8, 0.8, 0.4, 300 * DAY_S))


PLANTED: Final = [
    (no_device, "device", Level.PROBLEM, "modprobe fuse"),
    (no_helper, "fusermount3", Level.PROBLEM, "apt install fuse3"),
    (others_shut_out, "allow_other", Level.NOTE, "add a line user_allow_other to"),
    (full_disk, "disk", Level.PROBLEM, "make room on that disk"),
    (dead_mount, "mounts", Level.PROBLEM, "fusermount3 -uz '/home/ann/old'"),
    (silent_daemon, "mounts", Level.PROBLEM, "cxfs.log"),
    (unmounted_behind_its_back, "mounts", Level.PROBLEM, "mount it again"),
    (parked_uploads, "uploads", Level.PROBLEM, "cxfs uploads"),
    (short_read_ahead, "read-ahead", Level.NOTE, "echo 4096 > "),
    (updatedb, "indexer", Level.PROBLEM, "add fuse.cxfs to PRUNEFS"),
    (tracker, "indexer", Level.PROBLEM, "/.trackerignore"),
    (baloo, "indexer", Level.PROBLEM, "balooctl6 config add excludeFolders"),
    (no_token, "token", Level.PROBLEM, "cxfs login --profile home"),
    (refused_token, "account", Level.PROBLEM, "cxfs login --profile home"),
    (absent_server, "server", Level.PROBLEM, "see whether the server runs"),
    (documented_service, "server", Level.PROBLEM, "set api_url"),
    (foreign_certificate, "tls", Level.PROBLEM, "keeps that as ca_file"),
    (old_certificate, "tls", Level.PROBLEM, "renewed"),
    (wrong_clock, "clock", Level.PROBLEM, "timedatectl set-ntp true"),
    (far_server, "latency", Level.NOTE, "--metadata-ttl"),
]


@pytest.mark.parametrize(("plant", "check", "level", "remedy"), PLANTED, ids=lambda each: getattr(each, "__name__", ""))
def test_a_planted_problem_is_found_and_its_remedy_named(
    world: World, plant: Callable[[World], None], check: str, level: Level, remedy: str
) -> None:
    """And it alone: whoever looks for one thing is not sent after another."""
    plant(world)

    (found,) = [each for each in world.findings() if each.level is not Level.OK]

    assert (found.check, found.level) == (check, level)
    assert remedy in (found.remedy or "")


def test_nothing_is_found_where_all_is_well(world: World) -> None:
    """Else every finding above might have been there before."""
    assert [each for each in world.findings() if each.level is not Level.OK] == []


# ------------------------------------------------------------------------------------------------ what is no problem


def test_a_mount_that_indexers_were_told_of_is_left_alone(world: World) -> None:
    """Each in its own way."""
    updatedb(world)
    world.machine.updatedb_conf.write_text(f'PRUNEFS="NFS"\nPRUNEPATHS="/var/spool {world.place}"\n')
    world.runs("tracker-miner-f")
    (world.place / ".trackerignore").touch()
    (world.machine.proc / "78").mkdir()
    (world.machine.proc / "78/comm").write_text("baloo_file\n")
    world.machine.baloo_conf.write_text("[General]\nexclude folders[$e]=$HOME/tmp/,$HOME/CX/\n")

    assert machine.indexers(world.machine, [world.place])[0].level is Level.OK


def test_root_needs_no_helper(world: World) -> None:
    """But others on the machine do."""
    world.machine = replace(world.machine, is_root=True, find=lambda _: None)

    assert machine.helper(world.machine).level is Level.NOTE


def test_a_mount_that_sends_at_its_end_is_no_problem(world: World) -> None:
    """It is watched by another command."""
    from cxfs.mounts import LOCK_FILE, read_record

    folder = world.mounts.state_home / "home"
    record = read_record(folder)
    assert record is not None
    text = (folder / LOCK_FILE).read_text()
    (folder / LOCK_FILE).write_text(text.replace('"draining": false', '"draining": true'))
    world.is_mounted()

    (found,) = [each for each in world.findings() if each.level is not Level.OK]

    assert (found.check, found.level) == ("mounts", Level.NOTE)


def test_what_the_server_does_not_tell_is_said_so(world: World) -> None:
    """No figure is made up."""
    world.account = replace(world.account, probe=lambda: Probe(0.01, 0.02, None, None), throughput=lambda _: None)

    found = {each.check: each.level for each in account.examined(world.account)}

    assert (found["tls"], found["clock"], found["throughput"]) == (Level.NOTE, Level.NOTE, Level.NOTE)
