"""The everyday programs over a line on which a third of all requests fails: no error reaches any of them.

A request may be refused in passing, break, stall, or be done and its answer lost; `cmp` and the account tell whether
anything came of it.
"""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING, Final

import pytest

from tests.faults import NO_JSON, Altered, Cut, Faults, Lost, Stall, behind, proxy_beside, wrong_range
from tests.mounting import Account, CountingServer, Mount, tree_of, write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHARE: Final = 0.3

READERS: Final = 4
READS: Final = 60
LARGE_BYTES: Final = 12 << 20

RANDOM_READER: Final = """
import os, random, sys
file, reference, seed, reads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
lot, size = random.Random(seed), os.path.getsize(reference)
with open(file, "rb", buffering=0) as ours, open(reference, "rb") as theirs:
    at = 0
    for _ in range(reads):
        at = lot.choice([lot.randrange(size), at, max(0, at - 300_000)])
        wanted = lot.choice([1, 4_096, 100_000, 700_000])
        os.posix_fadvise(ours.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # else the kernel soon has it all
        got, expected = os.pread(ours.fileno(), wanted, at), os.pread(theirs.fileno(), wanted, at)
        if got != expected:
            print(f"{wanted} bytes at {at} differ")
            sys.exit(1)
        at += len(got)
"""


@pytest.fixture
def faults() -> Faults:
    return Faults(seed=5)


@pytest.fixture
def far_account(running_server: CountingServer, own_account: Account, faults: Faults) -> Iterator[Account]:
    """The test's own account, to be mounted over the bad line."""
    with proxy_beside(faults, running_server) as proxy:
        account = behind(proxy, own_account)
        yield account
        account.close()


def everyday(mount: Mount, local: Path, rounds: int) -> None:
    """Copies, unpacks, clones, syncs, renames, appends and deletes; the first program that fails is raised."""
    mount.run("tar", "-cf", local / "tree.tar", "-C", local, "tree")
    for number in range(rounds):
        place = mount.path / f"round-{number}"
        mount.run("mkdir", place)
        mount.run("cp", "-r", local / "tree", place / "copied")
        mount.run("tar", "-xf", local / "tree.tar", "-C", place)
        mount.run("rsync", "-a", f"{local}/tree/", place / "synced")
        mount.run("git", "clone", "-q", local / "repository", place / "clone")
        mount.run("git", "-C", place / "clone", "status", "--porcelain")
        mount.run("mv", place / "copied", place / "moved")
        mount.run("mv", place / "moved" / "readme.txt", place / "renamed.txt")
        mount.run("sh", "-c", f"echo more >> {place}/renamed.txt")
        mount.run("diff", "-r", local / "tree", place / "tree")
        mount.run("rm", "-r", place / "tree")
        mount.run("find", mount.path, "-type", "f", "-size", "+0")
        mount.run("cmp", local / "tree" / "photo.jpg", place / "synced" / "photo.jpg")


def outcome(local: Path, rounds: int) -> dict[str, str]:
    """What the account holds in the end, but for what git has made."""
    tree = tree_of(local / "tree")
    expected: dict[str, str] = {}
    for number in range(rounds):
        synced = {f"round-{number}/synced/{name}": what for name, what in tree.items()}
        moved = {f"round-{number}/moved/{name}": what for name, what in tree.items() if name != "readme.txt"}
        expected |= synced | moved
    return expected


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A tree, and a repository of it, on the local disk."""
    folder = tmp_path / "local"
    lot = random.Random(1)
    files = {f"texts/{number}.txt": lot.randbytes(lot.randrange(3_000)) for number in range(12)}
    write_tree(folder / "tree", {"readme.txt": b"read me\n", "photo.jpg": lot.randbytes(1_500_000), **files})
    environment = {**os.environ, "HOME": str(folder), "GIT_CONFIG_GLOBAL": "/dev/null"}
    script = (
        "git init -q repository && cp -r tree/texts repository && cd repository && git add -A && "
        "git -c user.name=a -c user.email=a@b commit -qm first"
    )
    assert os.spawnvpe(os.P_WAIT, "sh", ["sh", "-c", f"cd {folder} && {script}"], environment) == 0
    return folder


def live_through(mount: Mount, account: Account, faults: Faults, local: Path, rounds: int) -> None:
    """The days themselves, and what is left of them."""
    faults.by_chance(SHARE)
    everyday(mount, local, rounds)
    mount.unmount()
    faults.stops()

    held = account.tree()
    expected = outcome(local, rounds)
    assert {name: held.get(name) for name in expected} == expected
    assert [name for name in held if "(conflict" in name or "/tree" in name] == []
    assert {type(each.fault) for each in faults.befallen} >= {Lost, Cut, Stall}


@pytest.mark.promise
def test_a_day_on_which_a_third_of_all_requests_fails(
    own_account: Account, far_account: Account, faults: Faults, local: Path, tmp_path: Path
) -> None:
    """5xx, 429, dropped connections, stalls, truncated bodies, lost answers and a 200 without JSON are retried with
    backoff, invisible to the program as long as they end before its deadline."""
    with Mount(far_account, tmp_path / "home") as mount:
        live_through(mount, own_account, faults, local, rounds=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_ten_such_days(
    seed: int, own_account: Account, running_server: CountingServer, local: Path, tmp_path: Path
) -> None:
    """Each with troubles of its own."""
    faults = Faults(seed=seed)
    with proxy_beside(faults, running_server) as proxy, Mount(behind(proxy, own_account), tmp_path / "home") as mount:
        live_through(mount, own_account, faults, local, rounds=2)


@pytest.mark.promise
def test_random_readers_never_get_a_wrong_byte(
    own_account: Account, far_account: Account, faults: Faults, tmp_path: Path
) -> None:
    """Whatever breaks, stalls or comes altered on the way, and though the cache is smaller than the file: a program
    reads the file's own bytes, or an error."""
    content = random.Random(2).randbytes(LARGE_BYTES)
    (tmp_path / "reference").write_bytes(content)
    own_account.put("/large", content)
    with Mount(far_account, tmp_path / "home", "--cache-size", "3M") as mount:
        faults.by_chance(
            SHARE,
            Cut(),
            lambda lot: Cut(lot.randrange(200_000)),
            Lost(),
            NO_JSON,
            wrong_range(),
            Stall(50_000, for_s=0.5),
        )
        arguments = [str(mount.path / "large"), str(tmp_path / "reference")]

        readers = [mount.spawn(RANDOM_READER, *arguments, str(seed), str(READS)) for seed in range(READERS)]

        assert [(mount.ending_of(reader), reader.args) for reader in readers] == [(0, each.args) for each in readers]
        mount.run("cmp", *arguments)
        assert faults.hits(Cut) > 10


def holding_itself(page: bytes) -> bytes:
    """A listing in which the folder `snake` is an entry of its own, and holds its parent besides."""
    listing = json.loads(page)
    if listing["directory"]["name"] == "snake":
        parent = {**listing["directory"], "id": listing["directory"]["parent"], "name": "above"}
        listing["entries"] += [listing["directory"], parent]
        listing["total"] += 2
    return json.dumps(listing).encode()


def test_a_folder_that_holds_itself_catches_no_program(
    own_account: Account, far_account: Account, faults: Faults, tmp_path: Path
) -> None:
    """What walks through it comes to an end, and the rest of the tree is served as ever."""
    own_account.make_folder("/snake")
    own_account.put("/snake/egg", b"white")
    own_account.put("/file", b"content")
    faults.every("GET files/list", Altered(body=holding_itself))
    with Mount(far_account, tmp_path / "home") as mount:
        for program in (["find"], ["ls", "-lR"], ["du", "-s"], ["grep", "-r", "nothing"]):
            mount.attempt(*program, mount.path)

        assert (mount.path / "file").read_bytes() == b"content"
        assert (mount.path / "snake" / "egg").read_bytes() == b"white"
        (mount.path / "new").write_bytes(b"new")
        mount.unmount()
    assert own_account.content("/new") == b"new"
    assert faults.hits(Altered) > 0
