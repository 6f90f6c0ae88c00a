"""What the server does not have yet, as it is shown."""

from __future__ import annotations

import pytest

from cxfs.core import order
from cxfs.core.pending import Kind, kind_of, lies_in


@pytest.mark.parametrize(
    ("step", "is_folder", "is_known", "kind"),
    [
        (order.Kind.UPLOAD, False, False, Kind.UPLOAD),
        (order.Kind.MAKE, True, False, Kind.MKDIR),
        (order.Kind.STAMP, True, True, Kind.STAMP),
        (order.Kind.REMOVE, True, True, Kind.RMDIR),
        (order.Kind.REMOVE, False, True, Kind.DELETE),
        (order.Kind.REMOVE, True, False, Kind.CLEAR),
        (order.Kind.REMOVE, False, False, Kind.CLEAR),
    ],
)
def test_a_step_has_a_word_for_people(step: order.Kind, *, is_folder: bool, is_known: bool, kind: Kind) -> None:
    """A removed folder is told from a removed file, and what nobody deleted from both."""
    assert kind_of(step, is_folder=is_folder, is_known=is_known) is kind


def test_every_step_has_one() -> None:
    """None is left out of the rows."""
    both = (True, False)
    kinds = {
        kind_of(step, is_folder=folder, is_known=known) for step in order.Kind for folder in both for known in both
    }
    assert kinds == set(Kind)


@pytest.mark.parametrize(
    ("path", "place", "lies"),
    [
        ("a/b", "a", True),
        ("a", "a", True),
        ("a/b/c", "a/b", True),
        ("anything", "", True),
        ("ab", "a", False),
        ("a", "a/b", False),
        ("b/a", "a", False),
        ("", "a", False),
    ],
)
def test_a_place_holds_itself_and_what_is_below_it(path: str, place: str, lies: bool) -> None:  # noqa: FBT001 - a table
    """A name that only begins the same is another place."""
    assert lies_in(path, place) is lies
