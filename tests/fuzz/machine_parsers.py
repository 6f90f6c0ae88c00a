"""What the client reads of this machine, and a bad disk or another program has spoilt: journal, cache, kernel."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, cast

from hypothesis import strategies as st

from cxfs import introduction
from cxfs.core.entries import NAME_CHARACTERS_MAX, SELF, EntryName, TreePath, Uuid
from cxfs.core.errors import BadName, BadReply, NameTooLong
from cxfs.core.interrupts import is_to_end, was_killed
from cxfs.core.names import chosen, escape, from_kernel, tag_of, tagged, unescape
from cxfs.core.order import Kind
from cxfs.core.posix import PosixUpdate, marked, target_in
from cxfs.core.ranges import ByteRange
from cxfs.fuse import mounting
from cxfs.local import extents
from cxfs.local.block_index import NAME as INDEX, BlockIndex
from cxfs.local.extents import BlockKey, Known, Sums
from cxfs.local.outbox import Outbox
from cxfs.local.reading import UNREADABLE, read_journal
from cxfs.local.rows import ChangeRow, ErrandRow
from cxfs.remote import probing
from tests.fuzz.edits import spoilt
from tests.fuzz.parser import Parser, header_of, text_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

IN_MEMORY: Final = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where a journal is opened and synced in no time."""

ID: Final = Uuid("SNU2d6zrEeGnthICOA-R7w")
PATH: Final = TreePath(SELF, (EntryName("folder"), EntryName("a.txt")))


# ---------------------------------------------------------------- names and paths


def kernel_name(raw: bytes) -> None:
    """Every name of a program's means one name of CX, and is shown as it was given."""
    shown = from_kernel(raw)
    name = unescape(shown)
    if chosen(shown) != name:
        raise AssertionError(name)
    assert escape(name) == shown
    assert tag_of(tagged(name, ID)) == ID


def escaped(raw: bytes) -> None:
    """Reversible for every string there is, halves of characters too."""
    name = raw.decode("utf-8", "surrogatepass" if b"\xed" in raw else "replace") if raw else ""
    assert unescape(escape(name)) == name
    assert not set(escape(name)) & set("/\0")
    assert escape(name) not in {"", ".", ".."}


def tree_path(raw: bytes) -> None:
    """What is read is written the same, and stands in a URL as one segment."""
    found = TreePath.parse(raw.decode(errors="replace"))
    assert TreePath.parse(str(found)) == found
    assert all(0 < len(name) <= NAME_CHARACTERS_MAX for name in found.names)
    assert found.in_url.partition(":")[2].isascii()
    assert "/" not in found.in_url.partition(":")[2]


def uuid(raw: bytes) -> None:
    """Its number is one that an inode can have."""
    assert 2 <= Uuid.parse(raw.decode(errors="replace")).number < 1 << 63


def link(raw: bytes) -> None:
    """A file is a link when its content is what a link that leads there has, byte for byte; any other is a file."""
    target = target_in(raw)
    assert target is None or marked(target) == raw


# ---------------------------------------------------------------- the journal


def posix_update(raw: bytes) -> None:
    """What is read is written the same."""
    found = PosixUpdate.parse(raw.decode(errors="replace"))
    assert PosixUpdate.parse(found.text) == found


CHANGE: Final = ChangeRow(
    id="0123456789abcdef01234567", generation=2, inode=4711, parent=ID, path=PATH, object=ID, base_version=3,
    base_size=9, base_bytes=5, size=5, held=(ByteRange(0, 2), ByteRange(3, 5)), modified_ms=1, sealed=(bytes(20),),
    parked="why", accepted_ms=2,
)  # fmt: skip
ERRAND: Final = ErrandRow(
    id=str(ID), kind=Kind.STAMP, object=ID, is_folder=True, inode=0, parent=ID, path=PATH, version=3,
    sealed=(bytes(20),), carrier="c", modified_ms=5, accepted_ms=6, parked=None,
)  # fmt: skip


def cells_near(honest: tuple[object, ...]) -> SearchStrategy[tuple[object, ...]]:
    """Rows as SQLite gives them back: each cell may be of any kind, and another than was written."""

    def near(cell: object) -> SearchStrategy[object]:
        odd = st.none() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats() | st.binary(max_size=40)
        same = st.just(cell)
        if isinstance(cell, str):
            changed = spoilt([cell.encode()], [b"[[0,1]]", b"self:/", b"[", b"1e999"])
            return same | changed.map(lambda raw: raw.decode(errors="surrogateescape")) | odd
        return same | same | odd | st.text(max_size=5)

    return st.tuples(*map(near, honest))


def change_row(cells: tuple[object, ...]) -> None:
    """What is taken for a change can be written down again, and sent."""
    found = ChangeRow.parse(cells)
    assert ChangeRow.parse(found.values) == found
    assert found.name == found.path.names[-1]
    assert all(part.length <= found.size for part in found.cut(found.size).held)


def errand_row(cells: tuple[object, ...]) -> None:
    """The same of an errand."""
    found = ErrandRow.parse(cells)
    assert ErrandRow.parse(found.values) == found


def journal_with(changes: list[tuple[object, ...]], set_aside: list[tuple[str, str]], folder: Path) -> None:
    with closing(Outbox(folder)) as outbox:
        journal = outbox._ledger.connection
        journal.execute("PRAGMA synchronous=OFF")
        journal.execute("PRAGMA ignore_check_constraints=ON")
        journal.execute("BEGIN")
        for cells in changes:
            journal.execute(f"INSERT OR REPLACE INTO changes VALUES ({', '.join('?' * len(cells))}, x'')", cells)
        journal.executemany("INSERT INTO quarantine VALUES (?, ?)", set_aside)
        journal.execute("COMMIT")
    for cells in changes:
        (folder / "drafts" / str(cells[0])).write_bytes(b"12345")


def quarantine(row: bytes) -> None:
    """Whatever stands among the rows that were set aside: the mount starts, and deletes no draft that may be meant."""
    text = row.decode(errors="surrogateescape").replace("\0", "")
    with tempfile.TemporaryDirectory(prefix="cxfs-test-", dir=IN_MEMORY) as place:
        folder = Path(place)
        journal_with([CHANGE.values], [(text.encode(errors="replace").decode(), "damaged")], folder)
        (folder / "drafts" / "fedcba987654321001234567").touch()
        with closing(Outbox(folder)) as outbox:
            assert outbox.recover() == [CHANGE]
            assert outbox.recover_errands() == []
        assert read_journal(folder).changes == (CHANGE,)
        assert len(read_journal(folder).set_aside) >= 1


# ---------------------------------------------------------------- the cache

OWNER: Final = "ann"
SIZE: Final = 2 * extents.EXTENT_BYTES + 7
KEY: Final = BlockKey(ID, 3)


def index_of(*records: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix="cxfs-test-") as folder:
        BlockIndex(Path(folder), owner=OWNER).write(records)
        return Path(folder, INDEX).read_bytes()


LARGE: Final = extents.record(KEY, 2, Known(SIZE, bytes(range(20)), False, Sums(1, (9,) * 8)))
SMALL: Final = extents.record(KEY, 0, Known(7, None, True, Sums(1, (9,) * 8)))


def block_index(raw: bytes) -> None:
    """What it says of a place can be taken on, however the file was spoilt."""
    with tempfile.TemporaryDirectory(prefix="cxfs-test-", dir=IN_MEMORY) as folder:
        Path(folder, INDEX).write_bytes(raw)
        index = BlockIndex(Path(folder), owner=OWNER)
        loaded = index.load()
        for place, resting in loaded.records.items():
            check_resting(place, resting, loaded.large)
        index.append([LARGE])
        assert extents.place_of(KEY.name, 2) in BlockIndex(Path(folder), owner=OWNER).load().records or raw


def check_resting(place: str, resting: bytes, large: dict[str, int]) -> None:
    name, extent = extents.parted(place)
    known = extents.known_of(resting)
    assert extents.name_is_ours(name)
    assert extents.key_of(name).name == name
    size = large.get(name, known.size)
    assert extent * extents.EXTENT_BYTES < size
    if name not in large:
        assert 0 <= extents.resting_bytes(resting) <= size


def index_record(raw: bytes) -> None:
    """One record, whose checksum happens to be right."""
    name, extent, size = extents.place_and_size(raw)
    large = {name: size} if size > extents.EXTENT_BYTES else {}
    if not extents.is_gone(raw):
        check_resting(extents.place_of(name, extent), extents.resting_of(raw), large)


# ---------------------------------------------------------------- the kernel's tables, and a server's clock

STATUS: Final = (
    b"Name:\tcat\nSigPnd:\t0000000000000000\nShdPnd:\t0\nSigBlk:\t0\nSigIgn:\t0000000000001000\nSigCgt:\t0\n"
)
MOUNTS: Final = (
    b"29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    b"44 29 0:33 / /home/ann/my\\040cx rw,nosuid,nodev - fuse.cxfs cxfs:work rw,user_id=1000\n"
)


def mount_table(raw: bytes) -> None:
    """Anybody may mount something, under almost any name: what else is mounted is found all the same."""
    text = b"".join(raw.translate(None, b"\n \t\0").replace(b"\\", b"") for _ in "1")
    line = b"45 29 0:34 / /mnt/%s rw - fuse.other %s rw\n" % (text, text)
    with tempfile.NamedTemporaryFile(prefix="cxfs-test-") as file:
        Path(file.name).write_bytes(MOUNTS + line + MOUNTS)
        found = mounting.all_mounted(Path(file.name))
    assert len(found) == 5
    assert found[1].mountpoint == Path("/home/ann/my cx")
    assert found[1].is_ours
    assert bytes(found[2].mountpoint) == bytes(Path("/mnt/" + text_of(text)))


def program_status(raw: bytes) -> None:
    """A program chooses its own name, of fifteen bytes without an end of line."""
    name = raw.replace(b"\n", b"\\n")[:15]
    assert not is_to_end((b"Name:\t" + name + STATUS[STATUS.index(b"\n") :]).decode(errors="replace"))
    was_killed(f"1 ({name.decode(errors='replace')}) D " + "0 " * 50)


def clock(raw: bytes) -> None:
    """A server's `Date`."""
    assert probing._ahead_s(header_of(raw)) is None or header_of(raw)


def acquaintance(raw: bytes) -> None:
    """What the journal says of the server is believed when it makes sense, or asked for anew."""
    said = SimpleNamespace(fact=lambda _: raw.decode(errors="replace"), account=ID)
    found = introduction._noted(cast("Outbox", said), PATH)
    if found is not None:
        assert Uuid.parse(found.account)
        assert Uuid.parse(found.root.id)


ACQUAINTANCE: Final = json.dumps(
    {"account": ID, "username": "ann", "capabilities": ["versions"],
     "root": {"owner": "self", "id": ID, "name": "", "is_folder": True, "size": 0, "version": 1, "created_ms": 1,
              "modified_ms": 2, "sha1": None, "md5": None, "parent": None}}
).encode()  # fmt: skip
SET_ASIDE: Final = json.dumps([repr(cell) for cell in CHANGE.values]).encode()
ROW_WORDS: Final = (b'["', b'"]', b"[1]", b"[]", b"{}", b"__import__", b"'", b"((((")

PARSERS: Final[tuple[Parser, ...]] = (
    Parser(
        "cxfs.core.names: from_kernel",
        kernel_name,
        (b"a.txt", b"%cx2F-", "%cx25cx2F é".encode()),
        (BadName, NameTooLong),
        (b"%cx", b"cx25", b"2F", b"__", f"~{ID}".encode()),
    ),
    Parser(
        "cxfs.core.names: escape",
        escaped,
        (b"a.txt", b"a/b", b"..", b"", b"%cx2F"),
        (UnicodeDecodeError,),
        (b"%cx", b"cx25", b"2F", b"00", b"__", b"2E", f"~{ID}".encode()),
    ),
    Parser("cxfs.core.entries: TreePath.parse", tree_path, (b"self:/", b"self:/a/b"), (BadName, NameTooLong)),
    Parser("cxfs.core.entries: Uuid.parse", uuid, (ID.encode(), b"_" * 22), (BadReply,)),
    Parser(
        "cxfs.local.rows: ChangeRow.parse", change_row, (CHANGE.values,), UNREADABLE, inputs=cells_near(CHANGE.values)
    ),
    Parser(
        "cxfs.local.rows: ErrandRow.parse", errand_row, (ERRAND.values,), UNREADABLE, inputs=cells_near(ERRAND.values)
    ),
    Parser(
        "cxfs.core.posix: PosixUpdate.parse",
        posix_update,
        (b"", PosixUpdate(0o755, 7, "a", (("user.a", b"b"), ("user.c", None))).text.encode()),
        (ValueError, TypeError),
        (b'"mode"', b'"xattrs"', b"null", b"1e999", b"{}", b'"="', b"true"),
    ),
    Parser(
        "cxfs.core.posix: target_in", link, (marked("../a"), marked("b" * 1_024)), words=(b"XSym\n", b"0004", b"\n")
    ),
    Parser("cxfs.local.statements: draft_of", quarantine, (SET_ASIDE, b"['unquoted']"), words=ROW_WORDS),
    Parser("cxfs.local.block_index: BlockIndex.load", block_index, (index_of(LARGE, SMALL), index_of())),
    Parser("cxfs.local.extents: place_and_size", index_record, (LARGE, SMALL), (ValueError,)),
    Parser("cxfs.fuse.mounting: all_mounted", mount_table, (b"plain", b"caf\xe9", b"a - b")),
    Parser("cxfs.core.interrupts: is_to_end", program_status, (b"cat", b"SigPnd:1", b"a) (b")),
    Parser(
        "cxfs.remote.probing: _ahead_s",
        clock,
        (b"Wed, 21 Oct 2015 07:28:00 GMT", b"21 Oct 2015 07:28:00 +0200"),
        words=(b"+9999", b"-2400", b" 0000 ", b"9999", b"AM", b":60"),
    ),
    Parser("cxfs.introduction: _noted", acquaintance, (ACQUAINTANCE,)),
)
