"""Which names stay on this machine, and which must not."""

from __future__ import annotations

import pytest

from cxfs.core.local_names import DEFAULT_PATTERNS, LocalNames, parse_patterns


@pytest.mark.parametrize(
    "name",
    [
        ".xdg-volume-info",
        ".DS_Store",
        "Thumbs.db",
        ".directory",
        ".notes.txt.swp",
        ".notes.txt.swo",
        ".a.swpx",
        ".~lock.letter.odt#",
    ],
)
def test_lock_and_swap_files_and_what_desktops_leave_behind_stay(name: str) -> None:
    """They are worth nothing elsewhere."""
    assert name in LocalNames()


@pytest.mark.parametrize(
    "name",
    ["notes.txt~", "notes.swp", ".film.swf", ".swp", "#notes#", "desktop.ini", "thumbs.db", "._notes",
     ".goutputstream-X",
     ".~lock.letter.odt", "x.DS_Store", ".directory.txt", "a\nThumbs.db"],
)  # fmt: skip
def test_what_somebody_could_want_to_find_elsewhere_does_not(name: str) -> None:
    """Nothing is kept off the server silently."""
    assert name not in LocalNames()


def test_patterns_are_given_with_colons_between_them_in_place_of_the_usual_ones() -> None:
    """None of them: nothing stays."""
    chosen = LocalNames(parse_patterns("*.tmp:build-[0-9]"))

    assert "a.tmp" in chosen
    assert "build-7" in chosen
    assert ".DS_Store" not in chosen
    assert not [name for name in (".DS_Store", "", "a") if name in LocalNames(parse_patterns(""))]
    assert parse_patterns(":".join(DEFAULT_PATTERNS)) == DEFAULT_PATTERNS


@pytest.mark.parametrize("text", ["*", "a:**", "folder/*.tmp"])
def test_patterns_that_fit_all_or_nothing_are_refused(text: str) -> None:
    """They are a mistake."""
    with pytest.raises(ValueError, match=r"expected|every"):
        parse_patterns(text)


@pytest.mark.parametrize("text", ["X", "X*X", "*X"])
def test_a_pattern_of_few_letters_is_one(text: str) -> None:
    """Only stars alone would fit every name."""
    assert parse_patterns(text) == (text,)
