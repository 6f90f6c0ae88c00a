"""What is left of a list of deeds when what does not matter is left out."""

from __future__ import annotations

from tests.shortening import shortened


def test_only_the_deeds_that_matter_are_left() -> None:
    """In their order, wherever they stood."""
    assert shortened(range(100), lambda deeds: {3, 50, 99} <= set(deeds)) == [3, 50, 99]


def test_what_matters_as_a_whole_is_left_as_it_is() -> None:
    """And nothing is left of what does not matter at all."""
    assert shortened("abcdefg", lambda deeds: len(deeds) == 7) == list("abcdefg")
    assert shortened("abcdefg", lambda _deeds: True) == []


def test_the_search_ends_after_so_many_trials() -> None:
    """With what it has by then."""
    tried: list[list[str]] = []

    def leads_nowhere(deeds: list[str]) -> bool:
        tried.append(deeds)
        return False

    left = shortened("abcdefgh", leads_nowhere, trials_max=3)

    assert (len(tried), left) == (3, list("abcdefgh"))
