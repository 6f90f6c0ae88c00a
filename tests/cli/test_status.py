"""`cxfs status`: of one mount or all, for people, for programs and for whoever watches."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cxfs.cli import status_page
from cxfs.cli.exits import Exit
from cxfs.cli.status import watch
from cxfs.cli.status_page import Standing
from cxfs.control.protocol import Failure
from tests.cli.daemons import STATUS, SpokenDaemon
from tests.cli.terminal import QuickTerminal

NOW_S = 1_800_000_000.0


def busy(**changed: Any) -> dict[str, Any]:
    """The answer of a mount that sends."""
    remaining = {**STATUS["remaining"], "files": 3, "bytes": 20 << 20, "parked": 1, "parked_bytes": 4 << 20}
    uploads = {**STATUS["uploads"], "bytes_per_s": float(2 << 20)}
    return {**STATUS, "remaining": remaining, "uploads": uploads, **changed}


def page(answer: dict[str, Any]) -> list[str]:
    return status_page.page(Standing("home", "/home/ann/CX", answer), now_s=NOW_S)


# ------------------------------------------------------------------------------------------------ the page


def test_a_mount_at_rest_is_told_in_a_few_lines() -> None:
    """What everybody asks first, first: whether everything is uploaded."""
    assert page(dict(STATUS)) == [
        "/home/ann/CX  home  online",
        "  uploads    all is at the server",
        "  quota      5.0 GiB of 50.0 GiB used",
        "  cache      90.0 MiB of 10.0 GiB",
        "  from here  75 % of 368 reads, 99 % of 100 names",
        "  slowest    2.12 s  POST data (12, 0.50 s on average)",
    ]


def test_what_is_on_its_way_has_a_speed_and_an_end() -> None:
    """And what is parked says where to look further."""
    assert page(busy())[1:3] == [
        "  uploads    3 files, 20.0 MiB left, 2.0 MiB/s, about 10 s",
        "  parked     1 change, 4.0 MiB: cxfs uploads tells why",
    ]


def test_what_does_not_move_has_no_end() -> None:
    """Nothing is guessed from a rate of nothing, nor from one that has only begun."""
    begun = {**STATUS["uploads"], "bytes_per_s": 12.0}

    assert page(busy(uploads=STATUS["uploads"]))[1] == "  uploads    3 files, 20.0 MiB left"
    assert page(busy(uploads=begun))[1] == "  uploads    3 files, 20.0 MiB left, 12 B/s"


def test_folders_alone_are_counted_too() -> None:
    """They are on their way as well."""
    assert page({**STATUS, "remaining": {**STATUS["remaining"], "folders": 2}})[1] == "  uploads    2 folders left"


def test_the_state_is_told_with_its_reason_and_since_when() -> None:
    """As the daemon knows it; what the uploads have run into is a reason too."""
    connection = {"state": "offline", "since": NOW_S - 300, "reason": "no route", "next_probe": None}
    offline = page({**STATUS, "connection": connection})
    troubled = page({**STATUS, "remaining": {**STATUS["remaining"], "trouble": "no answer"}})

    assert offline[0] == "/home/ann/CX  home  offline for 5 min (no route)"
    assert troubled[0] == "/home/ann/CX  home  online (no answer)"


def test_faults_of_the_daemon_itself_are_told() -> None:
    """What went on all the same is worth a report."""
    task = {"task": "quota", "faults": 2, "kind": "KeyError", "place": "space.py:40", "ago_s": 300.0, "again_s": None}
    told = page({**STATUS, "tasks": [task], "loop": {"blocked_s": 0.25, "stalls": 1}})

    assert "  faults     quota: KeyError at space.py:40, 2 times, 5 min ago" in told
    assert told[told.index("  faults     quota: KeyError at space.py:40, 2 times, 5 min ago") + 1].endswith(
        "it stood still 1 time, the log says where"
    )


def test_a_mount_that_only_sends_any_more_says_so() -> None:
    """Unmounted, not over."""
    assert page({**STATUS, "phase": "draining"})[0].endswith("draining")


def test_conflicts_and_notices_of_the_last_day_are_told() -> None:
    """The latest first, and never as what would draw on the terminal."""
    notices = [
        {"at_ms": (NOW_S - 100_000) * 1_000, "path": "old", "text": "t"},
        {"at_ms": (NOW_S - 120) * 1_000, "path": "a\x1b[2J", "text": "it changed on the server as well"},
        {"at_ms": (NOW_S - 5) * 1_000, "path": "b", "text": "t"},
    ]
    told = page({**STATUS, "remaining": {**STATUS["remaining"], "conflicts": 2}, "notices": notices})

    assert "  conflicts  2 files to go beside another one" in told
    assert told[-2:] == [
        "  notices    5 s ago: b: t",
        "             2 min ago: a?[2J: it changed on the server as well",
    ]


def test_a_quota_that_the_server_does_not_tell_is_left_out() -> None:
    """No figure is made up."""
    assert not [line for line in page({**STATUS, "quota": {"total_bytes": None, "used_bytes": 1}}) if "quota" in line]


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        ({"followed": 2, "live": 2}, ["  changes    told by the server"]),
        ({"followed": 2, "live": 1}, ["  changes    not told at the moment: asked for as they get old"]),
        ({"followed": 0, "live": 0}, ["  changes    not told at the moment: asked for as they get old"]),
        (None, []),
    ],
)
def test_it_says_whether_changes_are_told(feed: dict[str, int] | None, said: list[str]) -> None:
    """Where there is a feed at all: a person wonders why the other machine's file is not there."""
    assert [line for line in page({**STATUS, "feed": feed}) if "changes  " in line] == said


# ------------------------------------------------------------------------------------------------ the command


@pytest.mark.parametrize("arguments", [[], ["mnt"], ["mnt/a/b"], ["home"]])
def test_a_mount_is_found_by_path_by_profile_or_as_one_of_all(
    quick: QuickTerminal, daemon: SpokenDaemon, arguments: list[str]
) -> None:
    """Whatever is at hand."""
    said = quick.cxfs("status", *arguments)

    assert said.lines[0] == f"{daemon.mountpoint}  home  online"
    assert daemon.asked == [("status", {})]


def test_a_bare_word_is_a_profile_where_there_is_one(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """Also for somebody who stands in a mount; a path of that name is ./home."""
    quick.configure(
        '[profiles.home]\napi_url = "https://127.0.0.1:1"\n[profiles.work]\napi_url = "https://127.0.0.1:2"\n'
    )
    (daemon.mountpoint / "work").mkdir()
    there = QuickTerminal(daemon.mountpoint, {**quick.environment})

    word, path = there.cxfs("status", "work"), there.cxfs("status", "./work")

    assert (word.status, word.out) == (Exit.NOT_MOUNTED, "-  work  silent (work is not mounted)\n")
    assert path.lines[0] == f"{daemon.mountpoint}  home  online"


def test_programs_get_all_of_it_in_json(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """A list, also of one."""
    (told,) = json.loads("\n".join(quick.cxfs("status", "--json").lines))

    assert told == {**STATUS, "state": "online", "reason": None, "since": 0.0}


def test_nothing_mounted_is_a_status_of_its_own(quick: QuickTerminal) -> None:
    """For scripts; in JSON it is an empty list."""
    said, told = quick.cxfs("status"), quick.cxfs("status", "--json")

    assert (said.status, said.out, said.err) == (Exit.NOT_MOUNTED, "", "nothing is mounted\n")
    assert (told.status, json.loads(told.out)) == (Exit.NOT_MOUNTED, [])


def test_a_daemon_that_refuses_is_told_of_and_not_hidden(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """Others would still be shown."""
    daemon.answers["status"] = Failure("version", "another version")

    said = quick.cxfs("status")

    assert (said.status, said.out) == (Exit.NOT_MOUNTED, f"{daemon.mountpoint}  home  silent (another version)\n")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["/tmp"], Exit.NOT_MOUNTED),
        (["nobody"], Exit.CONFIG),
        (["--watch", "--json"], Exit.USAGE),
        (["mnt", "mnt"], Exit.USAGE),
    ],
)
def test_what_is_meant_must_be_clear(
    quick: QuickTerminal, daemon: SpokenDaemon, arguments: list[str], status: Exit
) -> None:
    """One line, and a status that tells what kind of mistake it is."""
    said = quick.cxfs("status", *arguments)

    assert (said.status, bool(said.line)) == (status, True)


def test_watching_looks_again_until_it_is_interrupted() -> None:
    """What there is, each time anew."""
    shown: list[list[Standing]] = []
    answers = iter([[Standing("home", "/a", None)], []])

    def pause() -> None:
        if len(shown) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(lambda: next(answers), shown.append, pause)

    assert [len(found) for found in shown] == [1, 0]


def test_what_is_watched_without_a_terminal_is_a_line_a_mount() -> None:
    """For a log."""
    assert status_page.line(Standing("home", "/a", busy())) == (
        "/a: online; 3 files, 20.0 MiB left, 2.0 MiB/s, about 10 s; 1 parked"
    )
    assert status_page.line(Standing("home", "/a", None, "it hangs")) == "/a: silent; it hangs"
