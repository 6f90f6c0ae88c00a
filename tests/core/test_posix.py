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
    permissions,
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


def test_an_attribute_is_found_by_its_name() -> None:
    """Or there is none."""
    posix = Posix(xattrs=(("user.a", b"1"), ("user.b", b"2")))

    assert [posix.value(name) for name in ("user.a", "user.b", "user.c")] == [b"1", b"2", None]


def test_what_is_set_shows_and_the_rest_stays() -> None:
    """On what the server has."""
    posix = Posix(mode=0o644, rest_ns=7, link=None, xattrs=(("user.a", b"1"), ("user.b", b"2")))

    assert PosixUpdate(mode=0o755).on(posix) == Posix(0o755, 7, None, posix.xattrs)
    changed = PosixUpdate(xattrs=(("user.c", b"3"), ("user.a", None))).on(posix)
    assert changed == Posix(0o644, 7, None, (("user.b", b"2"), ("user.c", b"3")))


def test_one_update_after_another_is_both() -> None:
    """A link stays one, and what neither sets is left as it is."""
    first, second = PosixUpdate(mode=0o600, rest_ns=1, link="there"), PosixUpdate(mode=0o644, rest_ns=2)

    assert first.then(second, with_time=True) == PosixUpdate(0o644, 2, "there", None)
    assert first.then(PosixUpdate(), with_time=False) == first
    patch = (("user.a", b"1"),)
    assert first.then(PosixUpdate(xattrs=patch), with_time=False).xattrs == patch


def test_of_a_mode_the_permissions_are_kept() -> None:
    """The kind of a file is not set by chmod."""
    assert permissions(0o100_755) == 0o755


def test_a_refusal_says_why() -> None:
    """In words for the log."""
    with pytest.raises(AttributesFull, match=r"^names and values are over 65536 bytes$"):
        check_room((("user.a", bytes(XATTRS_BYTES_MAX)),))
    with pytest.raises(BadName, match=r"^where the link leads is not UTF-8$"):
        marked("\udcff")
    with pytest.raises(NameTooLong, match=r"^a link leads at most 1024 bytes far, this one 1025$"):
        marked("a" * 1_025)
    for damaged in ("[]", '{"mode": "x"}'):
        with pytest.raises(TypeError, match=r"^not POSIX attributes: '"):
            PosixUpdate.parse(damaged)
    with pytest.raises(TypeError) as error:
        PosixUpdate.parse(f'["{"a" * 200}"]')
    assert str(error.value) == f"not POSIX attributes: {(chr(91) + chr(34) + 'a' * 78)!r}"
    with pytest.raises(TypeError) as error:
        PosixUpdate.parse(f'{{"mode": "{"a" * 200}"}}')
    assert len(str(error.value)) == len("not POSIX attributes: ''") + 80


def test_a_file_of_another_size_or_beginning_is_no_link() -> None:
    """Both have to be a link's."""
    link = marked("there")

    assert target_in(b"Y" + link[1:]) is None
    assert target_in(link + b" ") is None
    assert target_in(link.replace(b"there", b"t\0ere")) is None
