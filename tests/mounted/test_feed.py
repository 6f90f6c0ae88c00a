"""What others do is seen here at once, through the real kernel: whatever it, or the mount, believes for how long."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.faults import Cut, Faults, behind, proxy_beside
from tests.mounting import Account, CountingServer, Mount, checksum, eventually, tree_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENT = ("--metadata-ttl", "600", "--negative-ttl", "600", "--feed-ttl", "3600")
"""What is seen within a test's patience was not waited for until it got old."""

_WATCH = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
notes = libc.inotify_init1(0)
for path in sys.argv[1:]:
    assert libc.inotify_add_watch(notes, os.fsencode(path), 0x400) > 0  # IN_DELETE_SELF
print("watching", flush=True)
heard = os.read(notes, 4096)
print(int.from_bytes(heard[4:8], sys.byteorder) & 0x400, flush=True)
"""


@pytest.fixture(scope="module")
def here(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """A mount that would ask for nothing in ten minutes."""
    with Mount(account, tmp_path_factory.mktemp("here"), *PATIENT) as mount:
        wait_until(lambda: "told by the server" in mount.cxfs("status", str(mount.path)).stdout)
        yield mount


@pytest.fixture(scope="module")
def there(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """The same account on another machine."""
    with Mount(account, tmp_path_factory.mktemp("there"), *PATIENT) as mount:
        wait_until(lambda: "told by the server" in mount.cxfs("status", str(mount.path)).stdout)
        yield mount


@pytest.fixture
def folders(here: Mount, there: Mount, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """A folder of the test's own, as both see it."""
    name = f"feed {request.node.name}"
    (there.path / name).mkdir()
    wait_until((here.path / name).is_dir)
    return here.path / name, there.path / name


def tree_at_rest(folder: Path) -> dict[str, str]:
    """Of one that changes while it is looked at, that alone is told."""
    with suppress(FileNotFoundError):
        return tree_of(folder)
    return {".": "changes"}


@pytest.mark.promise
def test_what_another_mount_did_is_seen_at_once(folders: tuple[Path, Path]) -> None:
    """Where the server tells of changes (capability `changes`), what others did is seen here as soon as the server
    has it, whatever the metadata TTL: new, changed, renamed and deleted files and folders."""
    here, there = folders
    assert not (here / "new").exists()

    (there / "new").write_bytes(b"first")
    (there / "sub").mkdir()
    (there / "sub/inner").write_bytes(b"inner")
    first = {"new": checksum(b"first"), "sub": "folder", "sub/inner": checksum(b"inner")}
    assert eventually(lambda: tree_at_rest(here), first) == first

    (there / "new").write_bytes(b"second, and longer")
    (there / "sub").rename(there / "renamed")
    second = {"new": checksum(b"second, and longer"), "renamed": "folder", "renamed/inner": checksum(b"inner")}
    assert eventually(lambda: tree_at_rest(here), second) == second
    assert (here / "new").stat().st_size == 18

    (there / "new").unlink()
    (there / "renamed/inner").unlink()
    (there / "renamed").rmdir()
    wait_until(lambda: tree_at_rest(here) == {})
    assert not (here / "new").exists()


def test_what_the_kernel_has_cached_is_dropped(here: Mount, folders: tuple[Path, Path]) -> None:
    """Attributes, pages and the absence of a name: without a look at the listing, which always comes to the daemon."""
    seen, made = folders
    (made / "file").write_bytes(b"old")
    wait_until((seen / "file").exists)
    before = (seen / "file").read_bytes(), (seen / "file").stat().st_size, (seen / "later").exists()

    (made / "file").write_bytes(b"newer")
    (made / "later").write_bytes(b"")

    assert before == (b"old", 3, False)
    assert eventually(lambda: (seen / "file").stat().st_size, 5) == 5
    assert (seen / "file").read_bytes() == b"newer"
    wait_until((seen / "later").exists)


def test_who_watches_a_file_hears_that_it_was_deleted_elsewhere(here: Mount, folders: tuple[Path, Path]) -> None:
    """The one thing of which the kernel lets watchers be told."""
    seen, made = folders
    (made / "file").write_bytes(b"x")
    wait_until((seen / "file").exists)
    with here.spawn(_WATCH, seen / "file") as watcher:
        assert watcher.stdout is not None
        watching = watcher.stdout.readline()

        (made / "file").unlink()
        heard = watcher.stdout.readline()

        assert here.ending_of(watcher) == 0
    assert (watching, heard) == ("watching\n", f"{0x400}\n")


def test_two_who_write_the_same_file_both_keep_what_they_wrote(folders: tuple[Path, Path]) -> None:
    """However fast one hears of the other."""
    seen, made = folders
    (made / "file").write_bytes(b"base")
    wait_until((seen / "file").exists)

    with (seen / "file").open("r+b") as ours, (made / "file").open("r+b") as theirs:
        ours.write(b"from here")
        theirs.write(b"from there")

    def contents(folder: Path) -> set[bytes]:
        return {path.read_bytes() for path in folder.iterdir()}

    both = {b"from here", b"from there"}
    assert eventually(lambda: contents(made), both) == eventually(lambda: contents(seen), both) == both


_LIVE = """
import os, random, sys
top, who = sys.argv[1:3]
chance = random.Random(int(sys.argv[3]))
os.chdir(top)
wrote = 0
for step in range(int(sys.argv[4])):
    names = [f"{folder}{name}" for folder in ("", "d/", "e/") for name in "abc"]
    one, other = chance.sample(names, 2)
    try:
        match chance.randrange(6):
            case 0 | 1 | 2:
                with open(one, "a") as file:
                    file.write(f"<{who} {wrote}>")
                wrote += 1
            case 3:
                os.rename(one, other)
            case 4:
                os.mkdir(chance.choice("de"))
            case 5:
                os.listdir(chance.choice([".", "d", "e"]))
    except OSError:
        pass
print(wrote)
"""


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_five_mounts_end_with_the_same_tree(own_account: Account, tmp_path: Path, seed: int) -> None:
    """Whatever programs in each of them do at the same time: seen through five kernels that believe for ten minutes,
    and as the server has it. Nothing is deleted, so what was appended is somewhere, or in a version of something."""
    with ExitStack() as stack:
        mounts = [stack.enter_context(Mount(own_account, tmp_path / str(each), *PATIENT)) for each in range(5)]
        for mount in mounts:
            wait_until(lambda mount=mount: "told by the server" in mount.cxfs("status", str(mount.path)).stdout)  # type: ignore[misc]
        programs = [
            stack.enter_context(mount.spawn(_LIVE, mount.path, str(each), str(10 * seed + each), "60"))
            for each, mount in enumerate(mounts)
        ]
        for mount, program in zip(mounts, programs, strict=True):
            assert mount.ending_of(program) == 0
        for mount in mounts:
            wait_until(lambda mount=mount: "all is at the server" in mount.cxfs("status", str(mount.path)).stdout)  # type: ignore[misc]

        tree = own_account.tree()
        assert tree
        for mount in mounts:
            assert eventually(lambda mount=mount: tree_of(mount.path), tree) == tree == own_account.tree()  # type: ignore[misc]


@pytest.fixture
def faults() -> Faults:
    return Faults()


@contextmanager
def mounted_behind(
    faults: Faults, running_server: CountingServer, account: Account, home: Path, *options: str
) -> Iterator[Mount]:
    """A mount of the account through a proxy, that is told of changes."""
    with proxy_beside(faults, running_server) as proxy, Mount(behind(proxy, account), home, *options) as mount:
        says(mount, "told by the server")
        yield mount


def says(mount: Mount, words: str) -> None:
    """Waits until its status does."""
    wait_until(lambda: words in mount.cxfs("status", str(mount.path)).stdout)


def cuts_the_feed(faults: Faults, mount: Mount) -> None:
    """What listens breaks off, and whoever listens again is cut off; everything else goes by."""
    faults.every("GET files/changes", Cut())
    faults.refuses()
    says(mount, "not told at the moment")
    faults.opens()


@pytest.mark.promise
def test_an_idle_mount_asks_for_nothing_but_changes(
    own_account: Account, running_server: CountingServer, faults: Faults, tmp_path: Path
) -> None:
    """While the server tells of changes, what is known is believed for the feed TTL (10 minutes by default;
    `--feed-ttl`): looking at it again costs no request, whatever the metadata TTL."""
    own_account.make_folder("/d")
    own_account.put("/d/file", b"x")
    never = "--metadata-ttl", "0", "--negative-ttl", "0"
    with mounted_behind(faults, running_server, own_account, tmp_path / "home", *never) as mount:
        assert tree_of(mount.path) == {"d": "folder", "d/file": checksum(b"x")}
        before = len(faults.requests)

        for _ in range(20):
            assert [path.name for path in (mount.path / "d").iterdir()] == ["file"]
            assert (mount.path / "d/file").stat().st_size == 1
            assert not (mount.path / "d/absent").exists()

        assert [asked for asked in faults.requests[before:] if not asked.startswith("GET files/changes")] == []
        own_account.put("/d/more", b"y")
        wait_until((mount.path / "d/more").exists)


def test_without_the_feed_the_metadata_ttl_counts_and_with_it_nothing_is_asked_again(
    own_account: Account, running_server: CountingServer, faults: Faults, tmp_path: Path
) -> None:
    """However long it is believed while the feed is live; and the feed is taken up as soon as it is there."""
    own_account.put("/file", b"x")
    options = ("--metadata-ttl", "1", "--negative-ttl", "1", "--feed-ttl", "3600", "--no-notifications")
    with mounted_behind(faults, running_server, own_account, tmp_path / "home", *options) as mount:
        assert tree_of(mount.path) == {"file": checksum(b"x")}
        assert not (mount.path / "new").exists()

        cuts_the_feed(faults, mount)
        own_account.put("/file", b"longer")
        own_account.put("/new", b"")
        wait_until(lambda: (mount.path / "file").stat().st_size == 6 and (mount.path / "new").exists())
        assert "not told at the moment" in mount.cxfs("status", str(mount.path)).stdout

        faults.stops()
        says(mount, "told by the server")
        assert tree_of(mount.path) == {"file": checksum(b"longer"), "new": checksum(b"")}
        before = len(faults.requests)
        for size in range(1, 6):
            own_account.put("/new", b"y" * size)
            assert eventually(lambda: (mount.path / "new").stat().st_size, size) == size
        assert [asked for asked in faults.requests[before:] if not asked.startswith("GET files/changes")] == []


def test_what_happened_while_the_feed_was_cut_is_told_afterwards(
    own_account: Account, running_server: CountingServer, faults: Faults, tmp_path: Path
) -> None:
    """To the kernel too, which would believe for ten minutes what it was told before."""
    for path in ("/changed", "/deleted", "/moved"):
        own_account.put(path, b"x")
    with mounted_behind(faults, running_server, own_account, tmp_path / "home", *PATIENT) as mount:
        assert [*tree_of(mount.path)] == ["changed", "deleted", "moved"]
        cuts_the_feed(faults, mount)

        own_account.put("/changed", b"longer")
        own_account.delete("/deleted")
        own_account.move("/moved", "/there")
        faults.stops()

        after = {"changed": checksum(b"longer"), "there": checksum(b"x")}
        assert eventually(lambda: tree_at_rest(mount.path), after) == after == own_account.tree()
        assert (mount.path / "changed").stat().st_size == 6
        assert not (mount.path / "deleted").exists()


def test_with_a_feed_ttl_of_zero_nobody_listens(
    own_account: Account, running_server: CountingServer, tmp_path: Path
) -> None:
    """For a server that is to be left alone."""
    with Mount(own_account, tmp_path / "home", "--feed-ttl", "0", "--metadata-ttl", "1") as mount:
        before = running_server.questions_for_changes()
        assert tree_of(mount.path) == {}
        own_account.put("/file", b"x")
        wait_until((mount.path / "file").exists)

        assert running_server.questions_for_changes() == before
        assert "changes" not in mount.cxfs("status", str(mount.path)).stdout
