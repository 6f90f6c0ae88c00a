"""What a server's JSON means."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from cxfs.core.entries import SELF, Entry, EntryName, Owner, Uuid
from cxfs.core.errors import BadReply
from cxfs.remote import replies
from cxfs.remote.failures import Misshapen
from tests.remote.fake_cx import OTHER_UUID, UUID, file, folder


def entry(**changes: Any) -> Entry:
    return replies.entry(json.dumps(file(**changes)).encode(), SELF)


def test_a_file_is_understood_as_the_record_shows_it() -> None:
    """Every field of the File object that we use."""
    assert entry(parent=OTHER_UUID) == Entry(
        owner=SELF,
        id=Uuid(UUID),
        name=EntryName("2353.jpg"),
        is_folder=False,
        size=5,
        version=3,
        created_ms=1_350_941_207_700,
        modified_ms=1_350_979_200_000,
        sha1=hashlib.sha1(b"hello").digest(),
        md5=hashlib.md5(b"hello").digest(),
        parent=Uuid(OTHER_UUID),
    )


def test_a_file_with_the_required_fields_alone_is_a_file() -> None:
    """The rest has neutral defaults."""
    bare = json.dumps({"id": UUID, "name": "a", "isDir": False, "size": 1}).encode()

    understood = replies.entry(bare, SELF)

    assert (understood.version, understood.created_ms, understood.modified_ms) == (0, 0, 0)
    assert (understood.sha1, understood.md5, understood.parent) == (None, None, None)


def test_a_folder_needs_no_size_and_has_none() -> None:
    """Whatever a server counts for it."""
    assert entry(isDir=True, size=None).size == 0
    assert entry(isDir=True, size=4096).size == 0


def test_the_owner_is_whose_tree_was_asked() -> None:
    """A File object does not say it."""
    group = Owner(OTHER_UUID)

    assert replies.entry(json.dumps(file()).encode(), group).path == (group, UUID)


@pytest.mark.parametrize("field", ["id", "name", "isDir", "size"])
def test_without_a_required_field_the_answer_is_invalid(field: str) -> None:
    """docs/protocol.md, "Types"."""
    with pytest.raises(Misshapen):
        entry(**{field: None})


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "short"},
        {"id": UUID + "x"},
        {"id": 5},
        {"id": "../../../../../../../.."},
        {"name": 5},
        {"isDir": "yes"},
        {"isDir": 1},
        {"size": -1},
        {"size": "5"},
        {"size": 5.5},
        {"size": True},
        {"size": 1 << 63},
        {"version": -1},
        {"version": "3"},
        {"version": 1 << 70},
    ],
    ids=str,
)
def test_a_required_field_of_the_wrong_kind_makes_the_answer_invalid(changes: dict[str, Any]) -> None:
    """A size that is guessed is a file cut short."""
    with pytest.raises(Misshapen):
        entry(**changes)


@pytest.mark.parametrize("field", ["created", "modified", "checksum", "checksumMethod", "md5checksum", "parent"])
@pytest.mark.parametrize("odd", [5, 1.5, True, [], {}, "", "nonsense", "\N{PILE OF POO}"], ids=repr)
def test_an_optional_field_of_the_wrong_kind_counts_as_absent(field: str, odd: object) -> None:
    """The object is still there and can be opened."""
    assert entry(**{field: odd}).size == 5


def test_unknown_fields_are_ignored() -> None:
    """A later server may say more."""
    assert entry(colour="green", more={"a": [1, {"b": None}]}) == entry()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "x" * 256, "\n", "%2F", "😀" * 255])
def test_a_name_is_taken_as_it_comes(name: str) -> None:
    """One that no path can hold must not hide the folder it stands in."""
    assert entry(name=name).name == name


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'"a"', b"5", b"{", b"<html>", b"\xff", b'{"id": "\xff"}', b'{"id"}']
)
def test_what_is_no_json_object_is_a_bad_reply(body: bytes) -> None:
    """Treated as a 500, so it is not Misshapen, which nobody repeats."""
    with pytest.raises(BadReply) as refused:
        replies.entry(body, SELF)

    assert type(refused.value) is BadReply


def test_json_nested_without_end_is_a_bad_reply() -> None:
    """It would exhaust the stack."""
    with pytest.raises(BadReply):
        replies.entry(b'{"x":' * 100_000, SELF)


def listing(**whole: Any) -> replies.ListingPage:
    body = {"directory": folder(), "entries": [file()], "offset": 0, "total": 1, **whole}
    return replies.listing_page(
        json.dumps({key: value for key, value in body.items() if value is not None}).encode(), SELF
    )


def test_a_listing_names_the_folder_and_its_entries() -> None:
    """And each entry knows where it stands, told or not."""
    page = listing(entries=[file(id=OTHER_UUID), file(id=OTHER_UUID, parent=OTHER_UUID)])

    assert page.folder.is_folder
    assert [each.parent for each in page.entries] == [UUID, OTHER_UUID]


@pytest.mark.parametrize("total", [None, -1, "5", 1.5, True])
def test_a_total_that_is_no_count_is_unknown(total: object) -> None:
    """Then the pages end where nothing new comes."""
    assert listing(total=total).total is None


@pytest.mark.parametrize(
    "whole", [{"directory": None}, {"entries": None}, {"entries": {}}, {"directory": file()}], ids=str
)
def test_a_listing_without_its_parts_is_invalid(whole: dict[str, Any]) -> None:
    """An empty folder would be the most dangerous guess."""
    with pytest.raises(Misshapen):
        listing(**whole)


def test_one_invalid_entry_makes_the_listing_invalid() -> None:
    """A listing with a hole looks like a deletion."""
    with pytest.raises(Misshapen):
        listing(entries=[file(), file(size=None)])


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2012-10-22T21:26:47.700Z", 1_350_941_207_700),
        ("2012-10-22T21:26:47Z", 1_350_941_207_000),
        ("2012-10-22T23:26:47.700+02:00", 1_350_941_207_700),
        ("2012-10-22T21:26:47.700", 1_350_941_207_700),
        ("2012-10-22T21:26:47.700999Z", 1_350_941_207_700),
        ("1970-01-01T00:00:00.000Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("yesterday", 0),
        ("2012-13-45T99:99:99Z", 0),
        ("", 0),
        (1350941207700, 0),
        (None, 0),
    ],
)
def test_a_time_is_milliseconds_since_the_epoch(text: object, ms: int) -> None:
    """UTC, as the wire has it; what is no time is the epoch."""
    assert replies.milliseconds(text) == ms


FIRST_MS = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * 1_000
LAST_MS = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 1_000


@given(st.integers(min_value=FIRST_MS, max_value=LAST_MS))
def test_a_time_comes_back_from_the_wire(time_ms: int) -> None:
    """`touch -d` to any moment a file system can hold."""
    assert replies.milliseconds(replies.in_wire(time_ms)) == time_ms


@pytest.mark.parametrize("time_ms", [-(10**18), 10**18])
def test_a_time_beyond_the_wires_years_is_the_nearest_one(time_ms: int) -> None:
    """The kernel can hold moments that the wire cannot."""
    assert abs(replies.milliseconds(replies.in_wire(time_ms))) < abs(time_ms)


def test_a_time_is_written_as_the_record_shows_it() -> None:
    """With milliseconds and a Z."""
    assert replies.in_wire(1_350_941_207_700) == "2012-10-22T21:26:47.700Z"


@given(st.binary(min_size=20, max_size=20))
def test_a_digest_is_read_in_both_alphabets_with_and_without_padding(raw: bytes) -> None:
    """Servers differ."""
    spellings = {
        encode(raw).decode().rstrip("=") + pad for encode in (b64encode, urlsafe_b64encode) for pad in ("", "=")
    }

    assert {replies.digest(text, 20) for text in spellings} == {raw}


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        "",
        "=",
        "qvTGHdzF6KLavt4PO0gs2a6pQ0",
        "qvTGHdzF6KLavt4PO0gs2a6pQ000",
        "qvTGHdzF6KLavt4PO0gs2a6pQ0!",
        "é" * 27,
    ],
)
def test_what_is_no_digest_is_none(text: object) -> None:
    """Then nothing is compared, instead of everything failing."""
    assert replies.digest(text, 20) is None


def test_a_checksum_by_another_method_is_not_taken_for_sha1() -> None:
    """Even when its length is the same."""
    assert entry(checksumMethod="RIPEMD160").sha1 is None


def test_capabilities_that_are_no_names_are_left_out() -> None:
    """Only what is understood is used."""
    assert replies.capabilities(b'{"capabilities": ["versions", 5, null, "bundle"]}') == {"versions", "bundle"}
