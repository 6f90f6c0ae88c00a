"""What a host does to a directory: accounts, and whole trees in and out."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cxfs.server import administration
from cxfs.server.administration import ServerError
from cxfs.server.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.person import Person

MTIME_NS = 981_173_106_789_000_000  # 2001-02-03T04:05:06.789Z


def silent(files: int, size: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder to move in with."""
    house = tmp_path / "house"
    (house / "rooms" / "attic").mkdir(parents=True)
    (house / "empty").mkdir()
    (house / "door.txt").write_bytes(b"knock")
    (house / "rooms" / "日本語 %2F\n.txt").write_bytes(b"x" * 3_000_000)
    (house / "rooms" / "attic" / "box").write_bytes(b"")
    for path in [*house.rglob("*")]:
        os.utime(path, ns=(MTIME_NS, MTIME_NS))
    return house


def seen(folder: Path) -> dict[str, tuple[bytes | None, int]]:
    """Everything below it: content (None for a folder) and modification time."""
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else None, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def test_a_tree_comes_out_as_it_went_in(store: Store, house: Path, tmp_path: Path) -> None:
    """Names, bytes, times, empty folders."""
    administration.add_user(store, "ann")

    brought = administration.import_tree(store, "ann", house, "/home/old", progress=silent)
    taken = administration.export_tree(store, "ann", "/home/old", tmp_path / "out", progress=silent)

    assert seen(tmp_path / "out") == seen(house)
    assert (brought.files, brought.folders, brought.bytes) == (3, 3, 3_000_005)
    assert (taken.files, taken.folders, taken.bytes, taken.skipped) == (3, 3, 3_000_005, [])


async def test_what_was_imported_is_served(store: Store, ann: Person, house: Path) -> None:
    """At once, by a server that was running."""
    administration.set_quota(store, "ann", 10_000_000)
    administration.import_tree(store, "ann", house, progress=silent)

    assert await ann.names("/") == ["door.txt", "empty", "rooms"]
    assert (await ann.describe("/door.txt"))["modified"] == "2001-02-03T04:05:06.789Z"
    assert (await ann.download("/door.txt")).content == b"knock"


async def test_an_import_over_what_is_there_adds_and_renews(store: Store, ann: Person, house: Path) -> None:
    """Folders are merged, files get a version, and a file is not replaced by a folder or the reverse."""
    administration.set_quota(store, "ann", 10_000_000)
    await ann.make("/rooms", "/door.txt")
    await ann.put("/rooms/kept", b"x")
    await ann.put("/empty", b"a file")
    administration.import_tree(store, "ann", house, progress=silent)

    again = administration.import_tree(store, "ann", house, progress=silent)

    assert await ann.names("/rooms") == ["attic", "kept", "日本語 %2F\n.txt"]
    assert (await ann.describe("/rooms/日本語 %2F\n.txt"))["version"] == 2
    assert (await ann.download("/empty")).content == b"a file"
    assert sorted(line.partition(":")[0] for line in again.skipped) == ["door.txt", "empty"]


def test_what_cx_cannot_hold_is_skipped_and_said(store: Store, house: Path) -> None:
    """Sockets, pipes, links that lead too far, names that are not text: each with its reason, and the rest comes."""
    administration.add_user(store, "ann")
    (house / "link").symlink_to("x" * 1_025)
    os.mkfifo(house / "pipe")
    (house / os.fsdecode(b"\xff")).write_bytes(b"x")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(house / "socket"))

    brought = administration.import_tree(store, "ann", house, progress=silent)

    assert brought.files == 3
    assert sorted(Path(line.partition(": ")[0]).name for line in brought.skipped) == [
        "\\udcff",
        "link",
        "pipe",
        "socket",
    ]


def test_progress_is_told_after_each_file(store: Store, house: Path, tmp_path: Path) -> None:
    """Files and bytes so far."""
    administration.add_user(store, "ann")
    told: list[tuple[int, int]] = []

    administration.import_tree(store, "ann", house, progress=lambda files, size: told.append((files, size)))
    administration.export_tree(
        store, "ann", "/", tmp_path / "out", progress=lambda files, size: told.append((files, size))
    )

    assert [files for files, _ in told] == [1, 2, 3, 1, 2, 3]
    assert told[2][1] == told[5][1] == 3_000_005


def test_an_import_stops_at_the_quota(store: Store, house: Path) -> None:
    """In one line; the batch that did not fit is not half there."""
    administration.add_user(store, "ann", quota_bytes=1_000)

    with pytest.raises(ServerError, match="stopped after 0 files"):
        administration.import_tree(store, "ann", house, progress=silent)

    assert administration.list_users(store)[0].consumed == 0


def test_an_export_overwrites_nothing(store: Store, house: Path) -> None:
    """It makes its folder, or wants it empty."""
    administration.add_user(store, "ann")

    with pytest.raises(ServerError, match="not empty"):
        administration.export_tree(store, "ann", "/", house, progress=silent)


async def test_a_name_too_long_for_linux_is_cut_and_stays_unique(store: Store, ann: Person, tmp_path: Path) -> None:
    """255 characters may be 1,020 bytes; Linux holds 255 of them."""
    faces = "😀" * 255
    put = await ann.put(f"/{faces}", b"x")

    administration.export_tree(store, "ann", "/", tmp_path / "out", progress=silent)

    (path,) = (tmp_path / "out").iterdir()
    assert path.name == "😀" * 58 + f"~{put['id']}"


async def test_a_single_file_can_be_exported(store: Store, ann: Person, tmp_path: Path) -> None:
    """Into the folder."""
    await ann.put("/note", b"x")

    administration.export_tree(store, "ann", "/note", tmp_path / "out", progress=silent)

    assert (tmp_path / "out" / "note").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (lambda store: administration.issue_token(store, "nobody"), "no user 'nobody'"),
        (lambda store: administration.issue_token(store, "ann", app="x"), "no application 'x'"),
        (lambda store: administration.add_user(store, "ann"), "already a user 'ann'"),
        (lambda store: administration.add_user(store, ""), "not a name"),
        (lambda store: administration.add_user(store, "a\nb"), "not a name"),
        (lambda store: administration.add_user(store, "ben", quota_bytes=-1), "a quota is"),
        (lambda store: administration.set_quota(store, "ann", -1), "a quota is"),
        (lambda store: administration.add_group(store, "band", owner="nobody"), "no user"),
        (lambda store: administration.set_member(store, "band", "ann", "reader"), "no group"),
        (lambda store: administration.set_member(store, "band", "ann", "boss"), "a role is"),  # type: ignore[arg-type]
        (lambda store: administration.suspend_user(store, "nobody"), "no user"),
        (lambda store: administration.add_app(store, "app", ["http://example.org/"]), "https"),
        (lambda store: administration.import_tree(store, "ann", Path("/no"), progress=silent), "not a folder"),
        (lambda store: administration.import_tree(store, "ann", Path("/proc/1"), "/..", progress=silent), "not a name"),
        (lambda store: administration.export_tree(store, "ann", "/no", Path("/no"), progress=silent), "there is no"),
    ],
)
def test_a_mistake_is_answered_with_one_line(store: Store, asked: Callable[[Store], object], words: str) -> None:
    """Which the command line shows as it is."""
    administration.add_user(store, "ann")

    with pytest.raises(ServerError, match=words) as refused:
        asked(store)

    assert "\n" not in str(refused.value)


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """Here because a file is in the way."""
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(ServerError, match="cannot use"), open_store(tmp_path / "file" / "server"):
        pass


def test_users_are_listed_with_what_they_keep(store: Store) -> None:
    """By name."""
    for name in ("ben", "ann"):
        administration.add_user(store, name, quota_bytes=5, email=f"{name}@example.org")
    administration.suspend_user(store, "ben")

    listed = [(user.name, user.email, user.capacity, bool(user.suspended)) for user in administration.list_users(store)]

    assert listed == [("ann", "ann@example.org", 5, False), ("ben", "ben@example.org", 5, True)]
