"""What a desktop is told, and how often."""

from __future__ import annotations

from cxfs.core.notices import NAME_CHARACTERS_MAX, QUIET_S, Condition, Kind, Notices

WELL = Condition(parked={}, reported=(), is_signed_out=False)


def parked(*names: str) -> Condition:
    return Condition(parked={name: f"folder/{name}" for name in names}, reported=(), is_signed_out=False)


def reported(*paths: str) -> Condition:
    return Condition(parked={}, reported=[(path, "it is elsewhere") for path in paths], is_signed_out=False)


SIGNED_OUT = Condition(parked={}, reported=(), is_signed_out=True)


def test_a_mount_that_is_well_says_nothing() -> None:
    """However long it goes on."""
    notices = Notices("home")

    assert [notices.due(WELL, now) for now in (0.0, 1e6)] == [[], []]


def test_what_is_parked_is_told_once_by_its_name() -> None:
    """It stays parked until somebody sees to it."""
    notices = Notices("home")

    (notice,) = notices.due(parked("a.txt"), 0.0)

    assert notice.kind is Kind.PARKED
    assert notice.summary == "home: 1 change cannot be sent"
    assert notice.body.splitlines()[0] == "a.txt"
    assert notices.due(parked("a.txt"), 10 * QUIET_S) == []


def test_what_is_parked_soon_after_is_told_together_and_later() -> None:
    """A full quota parks hundreds of files, one after the other."""
    notices = Notices("home")
    notices.due(parked("0"), 0.0)
    meanwhile = [notices.due(parked(*map(str, range(count))), count) for count in range(2, 200)]

    (notice,) = notices.due(parked(*map(str, range(200))), QUIET_S)

    assert meanwhile == [[]] * 198
    assert notice.summary == "home: 200 changes cannot be sent"
    assert notice.body.splitlines() == [
        "1",
        "2",
        "3",
        "and 196 more",
        "`cxfs uploads` tells why, and what can be done.",
    ]


def test_what_is_parked_once_more_is_told_once_more() -> None:
    """Somebody tried it again, and wants to know."""
    notices = Notices("home")
    notices.due(parked("a"), 0.0)
    notices.due(WELL, 1.0)

    assert len(notices.due(parked("a"), QUIET_S)) == 1


def test_reports_come_with_their_text_and_none_is_lost_to_the_quiet() -> None:
    """What went another way than a program was told is told nowhere else on a desktop."""
    notices = Notices("home")
    (first,) = notices.due(reported("self:/b/one.txt"), 0.0)
    quiet = notices.due(reported("self:/b/two.txt"), 1.0)

    (second,) = notices.due(WELL, QUIET_S)

    assert first.body == "one.txt: it is elsewhere"
    assert quiet == []
    assert second.body == "two.txt: it is elsewhere"


def test_a_sign_out_is_told_with_its_remedy_and_again_when_it_comes_again() -> None:
    """Not for as long as it lasts."""
    notices = Notices("home")

    (first,) = notices.due(SIGNED_OUT, 0.0)
    meanwhile = notices.due(SIGNED_OUT, 2 * QUIET_S)
    notices.due(WELL, 2 * QUIET_S)
    again = notices.due(SIGNED_OUT, 3 * QUIET_S)

    assert "cxfs login --profile home" in first.body
    assert meanwhile == []
    assert again == [first]


def test_kinds_do_not_silence_each_other() -> None:
    """Each has its own quiet."""
    all_at_once = Condition(parked={"1": "a"}, reported=[("b", "gone")], is_signed_out=True)

    assert {notice.kind for notice in Notices("home").due(all_at_once, 0.0)} == set(Kind)


def test_a_name_is_shown_on_one_line_of_bearable_length() -> None:
    """Names are anybody's, and hold what they like."""
    (notice,) = Notices("home").due(parked("line\nfeed", "x" * 500), 0.0)

    assert notice.body.splitlines()[:2] == ["line?feed", "x" * NAME_CHARACTERS_MAX + "…"]


def test_a_notice_says_at_a_glance_what_it_is_about() -> None:
    """Its first line is all that some desktops show."""
    all_at_once = Condition(parked={"1": "a", "2": "b"}, reported=[("self:/b", "gone")], is_signed_out=True)

    assert [notice.summary for notice in Notices("home").due(all_at_once, 0.0)] == [
        "home: 2 changes cannot be sent",
        "home: Something changed on both sides",
        "home: Signed out",
    ]


def test_where_all_are_named_no_others_are_counted() -> None:
    """Three fit."""
    (notice,) = Notices("home").due(parked("a", "b", "c"), 0.0)

    assert notice.body.splitlines()[:-1] == ["a", "b", "c"]


def test_a_name_that_just_fits_is_shown_whole() -> None:
    """With nothing behind it that would say otherwise."""
    (notice,) = Notices("home").due(parked("x" * NAME_CHARACTERS_MAX), 0.0)

    assert notice.body.splitlines()[0] == "x" * NAME_CHARACTERS_MAX
