"""The parts that need no server: forms in any pieces, times there and back."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from cxfs.server.errors import InvalidRequest
from cxfs.server.forms import FormReader
from cxfs.server.wire import new_uuid, parse_fine_time, show_fine_time, show_time
from tests.server.person import BOUNDARY, form

awkward = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"\r\n", b"--" + BOUNDARY.encode()[:-1], b"x", b"\0"]), max_size=20
).map(b"".join)


@given(awkward, st.lists(st.integers(1, 60), min_size=1))
def test_a_form_reads_the_same_in_whatever_pieces_it_comes(content: bytes, sizes: list[int]) -> None:
    """The network cuts where it likes, also inside a boundary."""
    body = form(("modified", b"then"), ("file", content), ("ifVersion", b"1"))
    reader = FormReader(BOUNDARY, with_file=True)

    found, start = b"", 0
    for size in [*sizes, len(body)]:
        found += b"".join(reader.feed(body[start : start + size]))
        start += size
    reader.finish()

    assert (found, reader.fields) == (content, {"modified": "then", "ifVersion": "1"})


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999), st.integers(0, 999_999))
def test_a_time_comes_back_as_it_went(milliseconds: int, rest_ns: int) -> None:
    """From the year 1 to 9999, before 1970 too."""
    assert parse_fine_time(show_time(milliseconds)) == (milliseconds, 0)
    assert parse_fine_time(show_fine_time(milliseconds, rest_ns)) == (milliseconds, rest_ns)


@pytest.mark.parametrize(
    ("text", "milliseconds", "rest_ns"),
    [
        ("1970-01-01T00:00:00Z", 0, 0),
        ("1970-01-01T00:00:00.7Z", 700, 0),
        ("1970-01-01T00:00:00.123999Z", 123, 999_000),
        ("1970-01-01T00:00:00.123456789Z", 123, 456_789),
        ("1969-12-31T23:59:59.999Z", -1, 0),
        ("2012-10-22T21:26:47.700Z", 1_350_941_207_700, 0),
    ],
)
def test_a_time_may_be_coarser_or_finer_than_milliseconds(text: str, milliseconds: int, rest_ns: int) -> None:
    """Clients differ; what is finer is kept beside."""
    assert parse_fine_time(text) == (milliseconds, rest_ns)


@pytest.mark.parametrize("text", ["2012-13-01T00:00:00Z", "0000-01-01T00:00:00Z", "2012-10-22T21:26:60Z", "x"])
def test_a_time_that_never_was_is_refused(text: str) -> None:
    """Also the leap second, which no clock of ours can show."""
    with pytest.raises(InvalidRequest):
        parse_fine_time(text)


def test_uuids_are_22_characters_and_never_alike() -> None:
    """[doc] the length; [seen] the alphabet."""
    made = {new_uuid() for _ in range(1_000)}

    assert len(made) == 1_000
    assert {len(uuid) for uuid in made} == {22}
