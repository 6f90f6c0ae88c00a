"""One draft against the dumbest possible truth: an array of bytes over the bytes of its base."""

from __future__ import annotations

import os
import resource
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from cxfs.core.errors import DiskFull, TooLarge
from cxfs.core.ranges import ByteRange, RangeSet
from cxfs.local.drafts import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = bytes(range(1, 41))
"""The version on the server; no byte of it is zero, so that a hole cannot pass for it."""

LONGEST = 60


@dataclass(frozen=True)
class Write:
    """A program writes."""

    offset: int
    content: bytes

    def on_draft(self, draft: Draft) -> None:
        draft.write(self.offset, self.content)

    def on_truth(self, truth: Truth) -> None:
        if self.content:
            truth.extend(self.offset + len(self.content))
            truth.content[self.offset : self.offset + len(self.content)] = self.content
            truth.there |= set(range(self.offset, self.offset + len(self.content)))


@dataclass(frozen=True)
class Truncate:
    """A program cuts or extends."""

    size: int

    def on_draft(self, draft: Draft) -> None:
        draft.truncate(self.size)

    def on_truth(self, truth: Truth) -> None:
        del truth.content[self.size :]
        truth.there = {byte for byte in truth.there if byte < self.size}
        truth.base_bytes = min(truth.base_bytes, self.size)
        truth.extend(self.size)


@dataclass(frozen=True)
class Fill:
    """Bytes of the base arrive from the server."""

    start: int
    stop: int

    def on_draft(self, draft: Draft) -> None:
        draft.fill(self.start, BASE[self.start : self.stop])

    def on_truth(self, truth: Truth) -> None:
        truth.there |= set(range(self.start, min(self.stop, truth.base_bytes)))


@dataclass
class Truth:
    """What the file is to a program: `there` is what need not be brought in any more."""

    content: bytearray = field(default_factory=lambda: bytearray(BASE))
    base_bytes: int = len(BASE)
    there: set[int] = field(default_factory=set)

    def extend(self, size: int) -> None:
        self.content.extend(bytes(max(0, size - len(self.content))))

    def missing(self) -> set[int]:
        return set(range(self.base_bytes)) - self.there


writes = st.builds(Write, st.integers(0, LONGEST), st.binary(max_size=20))
truncates = st.builds(Truncate, st.integers(0, LONGEST))
fills = st.tuples(st.integers(0, len(BASE)), st.integers(0, len(BASE))).map(lambda at: Fill(min(at), max(at)))
stories = st.lists(writes | truncates | fills, max_size=12)


@contextmanager
def draft_of_base() -> Iterator[Draft]:
    with TemporaryDirectory() as folder:
        draft = new_draft(Path(folder) / "draft")
        yield draft
        draft.close()


def new_draft(file: Path, *, size: int = len(BASE), base_bytes: int = len(BASE)) -> Draft:
    return Draft(file, size=size, base_bytes=base_bytes, held=RangeSet(), create=True)


@pytest.fixture
def draft(tmp_path: Path) -> Iterator[Draft]:
    draft = new_draft(tmp_path / "draft")
    yield draft
    draft.close()


@contextmanager
def files_limited_to(limit_bytes: int) -> Iterator[None]:
    """No file can grow, or be written, past this: the kernel cuts a write short there, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def live_through(story: list[Write | Truncate | Fill], draft: Draft) -> Truth:
    """The same happens to the draft and to the truth."""
    truth = Truth()
    for event in story:
        event.on_draft(draft)
        event.on_truth(truth)
    return truth


# ---------------------------------------------------------------- against the truth


@given(stories)
@settings(deadline=None, max_examples=60)
def test_whatever_happens_a_program_reads_what_it_wrote_over_the_base(story: list[Write | Truncate | Fill]) -> None:
    """A byte of the base that came late never overwrites a written one, and none that was cut off comes back."""
    with draft_of_base() as draft:
        truth = live_through(story, draft)

        draft.fill(0, BASE)

        assert draft.read(ByteRange(0, draft.size)) == bytes(truth.content)


@given(stories)
@settings(deadline=None, max_examples=60)
def test_whatever_happens_exactly_what_is_still_the_base_is_missing(story: list[Write | Truncate | Fill]) -> None:
    """One byte too few and a hole is sent as content; one too many costs a download."""
    with draft_of_base() as draft:
        truth = live_through(story, draft)

        missing = draft.missing(ByteRange(0, LONGEST * 2))

        assert {byte for gap in missing for byte in range(gap.start, gap.stop)} == truth.missing()


@given(stories)
@settings(deadline=None, max_examples=60)
def test_whatever_happens_the_size_is_that_of_the_file(story: list[Write | Truncate | Fill]) -> None:
    """On disk as well: a draft is recovered by what is on disk."""
    with draft_of_base() as draft:
        truth = live_through(story, draft)

        assert (draft.size, draft.file.stat().st_size) == (len(truth.content), len(truth.content))


@given(stories)
@settings(deadline=None, max_examples=60)
def test_whatever_happened_a_draft_opened_again_is_the_same(story: list[Write | Truncate | Fill]) -> None:
    """The journal keeps sizes and what is present; the bytes are in the file."""
    with draft_of_base() as draft:
        live_through(story, draft)
        present = RangeSet(draft.present())

        again = Draft(draft.file, size=draft.size, base_bytes=draft.base_bytes, held=present, create=False)

        everything = ByteRange(0, draft.size)
        assert again.missing(everything) == draft.missing(everything)
        assert again.read(everything) == draft.read(everything)
        again.close()


# ---------------------------------------------------------------- what a disk does


def test_a_new_draft_takes_no_room(tmp_path: Path) -> None:
    """A file of gigabytes that gets one byte appended is not downloaded for it."""
    draft = new_draft(tmp_path / "draft", size=1 << 30, base_bytes=1 << 30)

    taken = draft.file.stat()

    assert (taken.st_size, taken.st_blocks) == (1 << 30, 0)
    draft.close()


def test_a_draft_is_private(draft: Draft) -> None:
    """It holds what somebody has not shared yet."""
    assert stat.S_IMODE(draft.file.stat().st_mode) == 0o600


def test_a_new_draft_never_takes_the_place_of_another(draft: Draft) -> None:
    """Whatever is in a draft is precious."""
    with pytest.raises(DiskFull):
        new_draft(draft.file)


def test_a_write_that_the_disk_refuses_is_an_error(draft: Draft) -> None:
    """ENOSPC reaches the program, not the log."""
    with files_limited_to(10), pytest.raises(DiskFull):
        draft.write(10, b"more")

    assert draft.size == len(BASE)


def test_what_the_disk_took_of_a_refused_write_is_part_of_the_file(draft: Draft) -> None:
    """As on a local disk: those bytes were overwritten, and the base does not come back over them."""
    with files_limited_to(16), pytest.raises(DiskFull):
        draft.write(10, b"x" * 20)

    draft.fill(0, BASE)
    assert draft.read(ByteRange(0, draft.size)) == BASE[:10] + b"x" * 6 + BASE[16:]


def test_base_bytes_that_the_disk_did_not_take_are_missing_still(draft: Draft) -> None:
    """A hole would be read, and sent, as zeros."""
    with files_limited_to(16), pytest.raises(DiskFull):
        draft.fill(10, BASE[10:30])

    assert draft.missing(ByteRange(0, 40)) == [ByteRange(0, 10), ByteRange(16, 40)]


def test_a_size_that_the_disk_cannot_hold_is_refused(draft: Draft) -> None:
    """And the file keeps the one it had."""
    with files_limited_to(100), pytest.raises(TooLarge):
        draft.truncate(101)

    assert draft.size == len(BASE)


def test_an_empty_write_changes_nothing(draft: Draft) -> None:
    """POSIX: a write of no bytes does not extend the file."""
    draft.write(100, b"")

    assert draft.size == len(BASE)


def test_a_draft_takes_any_buffer(draft: Draft) -> None:
    """The kernel's bytes come as a view, and are not copied."""
    draft.write(3, memoryview(b"view"))

    assert draft.read(ByteRange(3, 7)) == b"view"


def test_a_draft_is_durable_with_its_name(tmp_path: Path) -> None:
    """A file that survives power loss in a folder that does not know it is lost."""
    synced: list[int] = []
    draft = Draft(
        tmp_path / "draft",
        size=0,
        base_bytes=0,
        held=RangeSet(),
        create=True,
        sync=lambda descriptor: synced.append(os.fstat(descriptor).st_ino),
    )

    draft.make_durable()

    assert synced == [draft.file.stat().st_ino, tmp_path.stat().st_ino]
    draft.close()


def test_a_disk_that_cannot_sync_is_an_error(tmp_path: Path) -> None:
    """fsync(2) must not say that all is well."""

    def broken(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    draft = Draft(tmp_path / "draft", size=0, base_bytes=0, held=RangeSet(), create=True, sync=broken)

    with pytest.raises(DiskFull, match="Input/output error"):
        draft.make_durable()

    draft.close()


def test_a_draft_may_be_closed_twice(draft: Draft) -> None:
    """By the last handle and by the upload's end, in either order."""
    draft.close()

    draft.close()

    assert draft.file.exists()
