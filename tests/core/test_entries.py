"""What a thing in CX may be called, and how its path travels."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from urllib.parse import unquote
from uuid import uuid1

import pytest
from hypothesis import given, strategies as st

from cxfs.core.entries import NAME_CHARACTERS_MAX, SELF, Entry, EntryName, Owner, TreePath, Uuid, UuidPath
from cxfs.core.errors import BadName, BadReply, NameTooLong

UUID = "SNU2d6zrEeGnthICOA-R7w"

names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=NAME_CHARACTERS_MAX
).filter(lambda text: text not in {".", ".."})
owners = st.sampled_from(["self", UUID])
tree_paths = st.builds(
    lambda owner, parts: TreePath(Owner(owner), tuple(map(EntryName, parts))), owners, st.lists(names, max_size=4)
)


@given(tree_paths)
def test_a_tree_path_comes_back_from_its_text(path: TreePath) -> None:
    """Paths are shown to people and taken from them."""
    assert TreePath.parse(str(path)) == path


@given(tree_paths)
def test_a_tree_path_is_one_segment_of_a_url(path: TreePath) -> None:
    """The documentation encodes it in full, slashes included."""
    assert path.in_url.isascii()
    assert not set(path.in_url) & set('/?# \\"<>')
    assert unquote(path.in_url) == str(path)


@given(tree_paths, names)
def test_a_child_is_one_name_further_down(path: TreePath, name: str) -> None:
    """And stays with its owner."""
    child = path.child(EntryName(name))

    assert (child.owner, child.names[:-1], child.names[-1]) == (path.owner, path.names, name)


def test_the_documented_example_is_encoded_as_documented() -> None:
    """`self:%2Fphotos%2F2353.jpg` stands in the CX documentation."""
    assert TreePath.parse("self:/photos/2353.jpg").in_url == "self:%2Fphotos%2F2353.jpg"


def test_the_root_is_a_path_of_no_names() -> None:
    """Its text ends in the slash that others begin with."""
    assert TreePath.parse("self:/") == TreePath(SELF, ())
    assert str(TreePath(SELF, ())) == "self:/"


@pytest.mark.parametrize(
    "text",
    ["", "self", "self:", "/a", "self:a", "self:/a/", "self://a", "self:/a//b", "self:/.", "self:/a/../b", "self:/a\0"],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    """No server could tell what is meant."""
    with pytest.raises(BadName):
        TreePath.parse(text)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "/", "é/", "é\0", "\udc80"])
def test_a_name_that_no_path_can_hold_has_no_child_path(name: str) -> None:
    """The object is there and is reached by its UUID."""
    assert not EntryName.parse(name).fits_in_a_path
    with pytest.raises(BadName):
        TreePath(SELF, ()).child(EntryName(name))


@pytest.mark.parametrize("name", ["a", "...", " ", "-rf", "a:b", "%2F", "\n", "😀", "é", "a" * 255, "😀" * 255])
def test_any_other_name_has_one(name: str) -> None:
    """Linux shells find some of these odd; CX does not."""
    assert EntryName.parse(name).fits_in_a_path


def test_a_name_is_measured_in_characters() -> None:
    """255 emoji are 1,020 bytes and a name; 256 letters are none."""
    assert len(EntryName.parse("😀" * 255).encode()) == 1_020
    with pytest.raises(NameTooLong, match="this one has 256"):
        EntryName.parse("a" * 256)


def test_a_path_with_a_name_too_long_is_refused_as_too_long() -> None:
    """ENAMETOOLONG without a question to the server."""
    with pytest.raises(NameTooLong):
        TreePath.parse("self:/" + "a" * 256)


@pytest.mark.parametrize("text", ["", "SNU2d6zrEeGnthICOA-R7", UUID + "w", "SNU2d6zrEeGnthICOA+R7w", UUID[:-1] + "\n"])
def test_what_is_no_uuid_is_a_bad_reply(text: str) -> None:
    """UUIDs come from a server only, and end up in URLs."""
    with pytest.raises(BadReply):
        Uuid.parse(text)


def test_a_uuid_path_is_written_as_it_is() -> None:
    """It has nothing to encode."""
    path = UuidPath(SELF, Uuid.parse(UUID))

    assert str(path) == path.in_url == f"self:{UUID}"


def test_the_two_kinds_of_path_are_never_equal() -> None:
    """One breaks by a rename, the other does not: a cache keyed by either must not mix them."""
    by_name, by_uuid = TreePath(SELF, (EntryName(UUID),)), UuidPath(SELF, Uuid(UUID))

    assert len({by_name, by_uuid}) == 2


def test_requests_about_an_entry_go_to_its_uuid() -> None:
    """Its name may be another by now."""
    entry = Entry(
        owner=SELF,
        id=Uuid(UUID),
        name=EntryName("a"),
        is_folder=False,
        size=0,
        version=1,
        created_ms=0,
        modified_ms=0,
    )

    assert entry.path == UuidPath(SELF, Uuid(UUID))


@given(st.binary(min_size=16, max_size=16))
def test_the_number_of_an_object_is_an_inode_number(raw: bytes) -> None:
    """63 bits, never 0 and never the root's 1; the same after every remount."""
    uuid = Uuid.parse(urlsafe_b64encode(raw).decode().rstrip("="))

    assert 2 <= uuid.number < 1 << 63
    assert uuid.number == Uuid(str(uuid)).number


def test_objects_made_one_after_the_other_have_different_numbers() -> None:
    """Time-based UUIDs differ in a few bits only."""
    numbers = {Uuid(urlsafe_b64encode(uuid1().bytes).decode().rstrip("=")).number for _ in range(1_000)}

    assert len(numbers) == 1_000


def test_what_is_no_uuid_is_quoted_by_its_beginning() -> None:
    """An error is one line, however long what a server sent."""
    with pytest.raises(BadReply, match=f"^not a CX UUID: '{'x' * 40}'$"):
        Uuid.parse("x" * 1_000)


@pytest.mark.parametrize("text", ["/a", "self", "self:a", ":a", "self/a:b", ""])
def test_what_is_no_path_is_quoted_with_what_was_expected(text: str) -> None:
    """A colon and a slash behind it are both wanted."""
    with pytest.raises(BadName) as refused:
        TreePath.parse(text)

    assert str(refused.value) == f"not a CX path: {text!r} (expected OWNER:/path/to/file)"


def test_a_name_without_a_path_is_quoted() -> None:
    """Its owner wants to know which."""
    with pytest.raises(BadName, match=r"^CX has no path for the name '\.\.'$"):
        TreePath(SELF, ()).child(EntryName(".."))
