"""How names are shown on Linux: every one of them, once, and back again."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from cxfs.core.entries import NAME_CHARACTERS_MAX, SELF, Entry, EntryName, Uuid
from cxfs.core.errors import BadName, NameTooLong
from cxfs.core.names import SHOWN_BYTES_MAX, chosen, escape, from_kernel, shown_names, tag_of, tagged, unescape

if TYPE_CHECKING:
    from random import Random

UUID = "SNU2d6zrEeGnthICOA-R7w"

ordinary = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
tricky = st.lists(
    st.sampled_from(["%", "%cx", "cx25", "cx", "25", "2F", "00", "2E", "__", "~", ".", "/", "\0", "a", f"~{UUID}"]),
    max_size=8,
).map("".join)
names = (ordinary | tricky).filter(lambda text: len(text) <= NAME_CHARACTERS_MAX)
shown = names.filter(lambda text: text not in {"", ".", ".."} and not set(text) & set("/\0") and tag_of(text) is None)


def uuid(number: int) -> Uuid:
    return Uuid(urlsafe_b64encode(number.to_bytes(16)).decode()[:22])


def entry(name: str, number: int, *, created_ms: int = 0) -> Entry:
    return Entry(
        owner=SELF,
        id=uuid(number),
        name=EntryName(name),
        is_folder=False,
        size=0,
        version=1,
        created_ms=created_ms,
        modified_ms=created_ms,
    )


folders = st.lists(
    st.tuples(
        names | st.sampled_from(["a", "", ".", "é" * NAME_CHARACTERS_MAX, "x" * NAME_CHARACTERS_MAX]),
        st.integers(0, 3),
    ),
    max_size=8,
).map(lambda given: [entry(name, number, created_ms=created) for number, (name, created) in enumerate(given)])


# ---------------------------------------------------------------- one name


@given(names)
@settings(deadline=None)
def test_a_shown_name_leads_back_to_the_name(name: str) -> None:
    """What a program reads in a listing it must be able to open."""
    assert unescape(escape(name)) == name


@given(shown)
@settings(deadline=None)
def test_a_name_that_a_program_gave_is_the_one_it_is_shown_under(given_name: str) -> None:
    """A file is found again under the very name it was made with, whatever the escape would have called it."""
    assert escape(unescape(given_name)) == given_name


@given(names, names)
@settings(deadline=None)
def test_two_names_never_look_alike(one: str, other: str) -> None:
    """Else one of two files could not be reached."""
    assert (escape(one) == escape(other)) == (one == other)


@given(names)
@settings(deadline=None)
def test_linux_can_show_every_name(name: str) -> None:
    """A slash or NUL in one line of a listing breaks the whole of it."""
    linux_name = escape(name)

    assert linux_name not in {"", ".", ".."}
    assert not set(linux_name) & {"/", "\0"}


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "%2F",
        "100%",
        "50% off",
        "%cx",
        "%cx25",
        "a%cx2E",
        "#?",
        "...",
        ".hidden",
        " ",
        "a\nb",
        "日本語",
        "😀",
    ],
)
def test_an_ordinary_name_is_shown_as_it_is(name: str) -> None:
    """The escape is for what Linux cannot show, and for nothing else."""
    assert escape(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b", "a%cx2Fb"),
        ("a\0b", "a%cx00b"),
        ("", "%cx__"),
        (".", "%cx2E"),
        ("..", "%cx2E."),
        ("a%cx2Fb", "a%cx25cx2Fb"),
        ("a%cx25cx2Fb", "a%cx25cx25cx2Fb"),
        ("%cx__", "%cx25cx__"),
        ("%cx2E.", "%cx25cx2E."),
        (f"a%cx~{UUID}", f"a%cx25cx~{UUID}"),
    ],
)
def test_a_name_that_linux_cannot_show_is_escaped(name: str, expected: str) -> None:
    """The form is documented: people and scripts may type it."""
    assert escape(name) == expected


# ---------------------------------------------------------------- a folder of names


@given(folders)
@settings(deadline=None)
def test_every_entry_of_a_folder_is_shown_exactly_once(entries: list[Entry]) -> None:
    """Nothing is hidden by a neighbour, however many share its name."""
    assert sorted(entry.id for entry in shown_names(entries).values()) == sorted(entry.id for entry in entries)


@given(folders)
@settings(deadline=None)
def test_every_shown_name_fits_into_linux(entries: list[Entry]) -> None:
    """NAME_MAX is 255 bytes, and a listing with a longer name is refused."""
    too_long = [name for name in shown_names(entries) if len(name.encode()) > SHOWN_BYTES_MAX]

    assert too_long == []


@given(folders, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_names_do_not_depend_on_the_order_of_the_listing(entries: list[Entry], lots: Random) -> None:
    """A server may sort as it likes; a name that moved between two listings would lead to another file."""
    shuffled = entries.copy()
    lots.shuffle(shuffled)

    assert shown_names(shuffled) == shown_names(entries)


def test_of_several_entries_of_one_name_the_oldest_keeps_it() -> None:
    """A newcomer does not rename what was there."""
    old, older, oldest = (entry("a", number, created_ms=created) for number, created in [(1, 30), (2, 20), (3, 10)])

    assert shown_names([old, older, oldest]) == {
        "a": oldest,
        f"a%cx~{older.id}": older,
        f"a%cx~{old.id}": old,
    }


def test_a_name_of_255_bytes_is_shown_whole() -> None:
    """The limit itself is allowed."""
    longest = entry("é" * 127 + "x", 1)

    assert shown_names([longest]) == {longest.name: longest}


def test_a_name_over_255_bytes_is_cut_and_tagged() -> None:
    """CX counts 255 characters, Linux 255 bytes."""
    overlong = entry("é" * 128, 1)

    assert shown_names([overlong]) == {"é" * 114 + f"%cx~{overlong.id}": overlong}


# ---------------------------------------------------------------- tags


@given(names, st.integers(min_value=0, max_value=2**128 - 1))
@settings(deadline=None)
def test_a_tag_says_which_object_is_meant(name: str, number: int) -> None:
    """Whatever was cut off, the object is found by its UUID."""
    assert tag_of(tagged(name, uuid(number))) == uuid(number)


@given(names)
@settings(deadline=None)
def test_an_untagged_name_has_no_tag(name: str) -> None:
    """A name that ends like a tag by itself is not one: its mark is escaped."""
    assert tag_of(escape(name)) is None


# ---------------------------------------------------------------- from a program


def test_a_name_from_a_program_is_utf8() -> None:
    """It is taken as it is: names compare as exact bytes."""
    assert from_kernel("é%cx2F".encode()) == "é%cx2F"


def test_a_name_of_255_bytes_from_a_program_is_taken() -> None:
    """NAME_MAX itself is allowed."""
    assert from_kernel(b"x" * 255) == "x" * 255


def test_a_name_over_255_bytes_is_too_long() -> None:
    """ENAMETOOLONG, as on every local disk, and without asking the server."""
    with pytest.raises(NameTooLong, match=r"^a name has at most 255 bytes, this one has 256$"):
        from_kernel(b"x" * 256)


def test_a_name_that_is_not_utf8_is_refused() -> None:
    """CX holds text: any stand-in for the bytes would be another name."""
    with pytest.raises(BadName, match=r"^CX names are UTF-8, this one is not$"):
        from_kernel(b"caf\xe9")


def test_a_name_that_a_program_gives_is_the_one_it_is_shown_under() -> None:
    """Else it would make one name and find another."""
    assert chosen("a%b") == "a%b"
    with pytest.raises(BadName, match="how another name is shown"):
        chosen("a%cx~" + "A" * 22)
