"""The same calls in a mount and in a folder of this machine: results, errors and what is left are the same.

Where a mount differs, docs/semantics.md says so, and `law` has the local side keep the same rule.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.conformance.recording import record
from tests.differential.sides import Sides, beside
from tests.differential.steps import Step, Story
from tests.differential.stories import BEGINNING, stories
from tests.mounting import Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.mounting import Account

TINY: Final = ("--cache-size", "1M")
"""So that content comes from the server again and again."""

LIFE_S: Final = 7_200.0
IN_TURN: Final = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
"""Shortened is what differs by ourselves: hypothesis would take many minutes for it."""

CHAPTER: Final = "calls by chance"
REMOUNT: Final = Step("remount")


@pytest.fixture(scope="module")
def sides(account: Account, tmp_path_factory: pytest.TempPathFactory, local: Path) -> Iterator[Sides]:
    """Both, with a program in each."""
    home = tmp_path_factory.mktemp("home") / "home"
    with Mount(account, home, *TINY, life_s=LIFE_S) as mount, beside(mount, local) as sides:
        yield sides


CASES: Final[dict[str, Story]] = {
    "a name comes into a folder whose time was set": [
        Step("utimens", "d", when_ns=1_234_567_890_592_000_000),
        Step("settle"),
        Step("save", "d/e/a", size=10),
        Step("save", "d/b", size=10),
        Step("stat", "d"),
    ],
    "a file is open while another one takes its name": [
        Step("save", "a", size=131_072),
        Step("fstat", slot=0),
        Step("is_same", "a", slot=0),
        Step("futimens", slot=0, when_ns=1_234_567_890_052_000_000),
        Step("fstat", slot=0),
    ],
    "a folder with the setgid bit hands it down": [
        Step("chmod", "d", mode=0o2755),
        Step("mkdir", "d/b", mode=0o777),
        Step("stat", "d/b"),
    ],
    "a file that the server has is written in the middle": [
        Step("settle"),
        Step("evict"),
        Step("pwrite", slot=1, at=100_000, size=10),
        Step("pread", slot=1, at=99_990, size=100),
        REMOUNT,
        Step("load", "d/a"),
    ],
    "it becomes shorter, and longer again": [
        Step("settle"),
        Step("evict"),
        Step("truncate", "d/a", size=5_000),
        Step("ftruncate", slot=1, size=300_000),
        Step("pread", slot=1, at=4_000, size=10_000),
        REMOUNT,
        Step("truncate", "d/a", size=250_000),
        Step("load", "d/a"),
    ],
    "it is appended to, with a hole": [
        Step("settle"),
        Step("open", "a", flags=("O_WRONLY", "O_APPEND")),
        Step("truncate", "a", size=1_048_576),
        Step("write", slot=2, size=5_000),
        REMOUNT,
        Step("load", "a"),
    ],
    "names are exchanged while both are open": [
        Step("rename", "a", to="d/a", flags=("RENAME_EXCHANGE",)),
        Step("write", slot=0, size=10),
        Step("is_same", "d/a", slot=0),
        Step("is_same", "a", slot=1),
        Step("rename", "d", to="a", flags=("RENAME_EXCHANGE",)),
        REMOUNT,
        Step("list", "a"),
    ],
    "a file lives on without a name": [
        Step("unlink", "a"),
        Step("store", "a", size=10),
        Step("pwrite", slot=0, at=100_000, size=4_096),
        Step("pread", slot=0, at=0, size=131_072),
        Step("is_same", "a", slot=0),
        REMOUNT,
    ],
    "a map writes to a file that the server has": [
        Step("settle"),
        Step("evict"),
        Step("forget"),
        Step("map", slot=1, at=70_000, size=100),
        Step("map", slot=1, at=0, size=10, flags=("private",)),
        REMOUNT,
        Step("load", "d/a"),
    ],
    "folders move with what waits in them": [
        Step("store", "d/e/a", size=70_000),
        Step("rename", "d", to="c"),
        Step("write", slot=1, size=10),
        Step("mkdir", "d", mode=0o777),
        Step("rename", "c/e", to="d/e"),
        REMOUNT,
        Step("rmdir", "c"),
        Step("load", "d/e/a"),
    ],
}
"""Found by the stories below, and what they must not leave to chance. A remount is the same one for all of them."""


def test_a_story_is_the_same_in_a_mount_and_in_a_local_folder(sides: Sides) -> None:
    """One each, in the fewest steps."""
    found = {}

    for name, story in CASES.items():
        begun = list(takewhile(lambda step: step != REMOUNT, story))
        found[name] = sides.differences([*BEGINNING, *begun], folder=name)
    sides.remount()
    for name, story in CASES.items():
        found[name] += sides.differences(story[story.index(REMOUNT) + 1 :] if REMOUNT in story else [], folder=name)

    assert {name: differences for name, differences in found.items() if differences} == {}


def round_of(sides: Sides, number: int, *, stories_max: int, steps_max: int) -> list[str]:
    """What is different, at first: in so many stories, for another daemon, and in as many that go on from there.

    Nothing is raised in between: hypothesis would play the story again, to tell of it at length.
    """
    folders = [f"round-{number}-{each}" for each in range(stories_max)]
    parts = iter([*folders, *folders])
    found: list[str] = []

    @seed(number)
    @given(story=stories(steps_max))
    @settings(IN_TURN, max_examples=stories_max)
    def play(beginning: Story, story: Story) -> None:
        if not found:
            found.extend(filter(None, [sides.difference([*beginning, *story], folder=next(parts))]))

    play(BEGINNING)
    if not found:
        sides.remount()
        found += sides.tree_differences(*folders)
    play([])
    return found


def test_whatever_a_program_does_a_mount_answers_as_a_local_folder(sides: Sides) -> None:
    """Calls by chance."""
    found = round_of(sides, 0, stories_max=15, steps_max=30)

    assert not found, "\n".join(found)


@pytest.mark.long
@pytest.mark.parametrize("number", range(1, 5))
def test_a_mount_answers_as_a_local_folder_in_thousands_of_stories(
    sides: Sides, number: int, record_property: Callable[[str, object], None]
) -> None:
    """As above, longer, and more of them."""
    found = round_of(sides, number, stories_max=75, steps_max=60)

    assert not found, "\n".join(found)
    record(record_property, sides.row(CHAPTER))
