"""Modes, fine times, links and extended attributes as values. Contract: docs/protocol.md, "POSIX attributes"."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, strategies as st

from cxfs.core.errors import AttributesFull, BadName, NameTooLong
from cxfs.core.posix import (
    MARKED_BYTES,
    NOTHING,
    PLAIN,
    TARGET_BYTES_MAX,
    XATTRS_BYTES_MAX,
    Posix,
    PosixUpdate,
    check_room,
    marked,
    target_in,
)

targets = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=200)
names = st.text(max_size=20).map("user.{}".format)
patches = st.dictionaries(names, st.none() | st.binary(max_size=40), max_size=4).map(lambda found: tuple(found.items()))
updates = st.builds(
    PosixUpdate,
    mode=st.none() | st.integers(0, 0o7777),
    rest_ns=st.integers(0, 999_999),
    link=st.none() | targets,
    xattrs=st.none() | patches,
)


@given(targets)
def test_a_link_is_known_by_its_content(target: str) -> None:
    """Whoever has the file has the link."""
    assert len(marked(target)) == MARKED_BYTES
    assert target_in(marked(target)) == target


def test_the_marked_file_is_that_of_smb_clients() -> None:
    """Written by hand from the description of the form: other programs know it."""
    digest = hashlib.md5(b"a/b", usedforsecurity=False).hexdigest()

    assert marked("a/b") == f"XSym\n0003\n{digest}\na/b\n".encode().ljust(1_067, b" ")


def test_the_longest_target_leaves_no_room_for_a_newline() -> None:
    """1,024 bytes; one more is refused."""
    assert marked("x" * TARGET_BYTES_MAX).endswith(b"\nxx" + b"x" * 1_022)
    assert target_in(marked("x" * TARGET_BYTES_MAX)) == "x" * TARGET_BYTES_MAX
    with pytest.raises(NameTooLong):
        marked("x" * (TARGET_BYTES_MAX + 1))
    with pytest.raises(BadName):
        marked("\udcff")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(1_067),
        marked("a")[:-1],
        marked("a") + b" ",
        marked("a").replace(b"0001", b"0002"),
        marked("a").replace(b"0001", b"00x1"),
        marked("a").replace(b"\na\n", b"\nb\n"),
        marked("a").replace(b"  \n", b" x\n")[:-1] + b"x",
        marked("a").replace(b"\na\n", b"\n\xff\n"),
        b"XSym\n9999\n" + bytes(1_057),
        marked("a").replace(b"0001", b"0000"),
    ],
)
def test_any_other_content_is_no_link(content: bytes) -> None:
    """A file that only looks like one stays a file."""
    assert target_in(content) is None


@given(updates)
def test_what_is_to_be_set_comes_back_from_the_journal(update: PosixUpdate) -> None:
    """To the byte."""
    assert PosixUpdate.parse(update.text) == update


def test_what_sets_nothing_takes_no_room_in_the_journal() -> None:
    """Most of it, on a server that keeps none."""
    assert NOTHING.text == ""
    assert PosixUpdate.parse("") == NOTHING


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"mode": "x"}', '{"link": 1}', '{"rest_ns": []}', '{"xattrs": {"a": 1}}', '{"xattrs": 1}']
)
def test_a_damaged_line_of_the_journal_is_told(text: str) -> None:
    """In the ways in which rows are told damaged."""
    with pytest.raises((ValueError, TypeError)):
        PosixUpdate.parse(text)


@given(updates, updates, st.dictionaries(names, st.binary(max_size=40), max_size=4))
def test_two_updates_are_one(first: PosixUpdate, second: PosixUpdate, kept: dict[str, bytes]) -> None:
    """What waits is sent once, and has the same effect."""
    posix = Posix(mode=0o644, xattrs=tuple(sorted(kept.items())))

    assert first.then(second, with_time=True).on(posix) == second.on(first.on(posix))


def test_the_later_time_counts_where_there_is_one() -> None:
    """A mode that is set after a time leaves that as it is."""
    first, second = PosixUpdate(rest_ns=5), PosixUpdate(mode=0o600, rest_ns=0)

    assert [first.then(second, with_time=each).rest_ns for each in (True, False)] == [0, 5]


@given(updates)
def test_what_sets_nothing_changes_nothing(update: PosixUpdate) -> None:
    """Before or after another."""
    assert NOTHING.then(update, with_time=True).on(PLAIN) == update.on(PLAIN)
    assert update.then(NOTHING, with_time=False).on(PLAIN) == update.on(PLAIN)


def test_an_object_has_room_for_64_kib_of_names_and_values() -> None:
    """As the server counts them."""
    check_room((("user.a", bytes(XATTRS_BYTES_MAX - 6)),))
    with pytest.raises(AttributesFull):
        check_room((("user.a", bytes(XATTRS_BYTES_MAX - 6)), ("user.b", b"")))
