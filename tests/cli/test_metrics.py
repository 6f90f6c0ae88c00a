"""`cxfs metrics`: text that Prometheus reads, of one mount or all, and at a port of this machine alone."""

from __future__ import annotations

import http.client
import re
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest

from cxfs.cli import exposition
from cxfs.cli.exits import Exit
from cxfs.cli.scraping import serve
from cxfs.control.protocol import Failure
from tests.cli.daemons import STATUS, SpokenDaemon

if TYPE_CHECKING:
    from tests.cli.terminal import QuickTerminal

LINE: Final = re.compile(r'(cxfs_[a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+)\} (-?[0-9][0-9.e+-]*)')


def samples(text: str) -> dict[str, str]:
    """By name and labels; a line that is neither a sample nor a comment is a mistake."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            sample = LINE.fullmatch(line)
            assert sample is not None, line
            found[f"{sample[1]}{{{sample[2]}}}"] = sample[3]
    return found


def test_a_mount_is_told_in_figures(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """Counters and gauges, each with its help and type."""
    said = quick.cxfs("metrics")

    labels = f'profile="home",mountpoint="{daemon.mountpoint}"'
    found = samples(said.out)
    assert said.status == Exit.OK
    assert found[f"cxfs_up{{{labels}}}"] == "1"
    assert found[f"cxfs_cache_hits_total{{{labels}}}"] == "276"
    assert found[f"cxfs_quota_bytes{{{labels}}}"] == str(50 << 30)
    assert found[f'cxfs_request_longest_seconds{{{labels},kind="POST data"}}'] == "2.125"
    assert "# TYPE cxfs_cache_hits_total counter\n" in said.out
    assert said.out.count("# HELP ") == said.out.count("# TYPE ") == len({name.partition("{")[0] for name in found})


def test_what_is_not_known_is_left_out() -> None:
    """No figure is made up: neither a quota, nor anything of a daemon that is silent but that it is."""
    answer: dict[str, Any] = {**STATUS, "quota": {"total_bytes": None, "used_bytes": 5}}
    told = exposition.text(
        [exposition.Sample("home", "/a", True, answer), exposition.Sample("work", "/b", False, None)]
    )

    found = samples(told)
    assert [name for name in found if "quota_bytes" in name] == []
    assert [name for name in found if 'profile="work"' in name] == ['cxfs_up{profile="work",mountpoint="/b"}']
    assert found['cxfs_up{profile="work",mountpoint="/b"}'] == "0"


def test_a_path_cannot_break_a_line() -> None:
    """Whatever a folder is called."""
    told = exposition.text([exposition.Sample("home", '/a"\n\\b\udce9', True, None)])

    assert 'mountpoint="/a\\"\\n\\\\b?"' in told
    assert samples(told)


def test_nothing_mounted_is_a_status_of_its_own(quick: QuickTerminal) -> None:
    """For a collector's script."""
    said = quick.cxfs("metrics")

    assert (said.status, said.out) == (Exit.NOT_MOUNTED, "")


def test_a_daemon_that_refuses_is_down(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """Which is what an alarm goes by."""
    daemon.answers["status"] = Failure("fault", "status failed")

    assert 'cxfs_up{profile="home"' in quick.cxfs("metrics").out
    assert list(samples(quick.cxfs("metrics", "home").out).values()) == ["0"]


@pytest.mark.parametrize(("arguments", "status"), [(["/tmp"], Exit.NOT_MOUNTED), (["nobody"], Exit.CONFIG),
                                                   (["--port", "99999"], Exit.USAGE)])  # fmt: skip
def test_what_is_meant_must_be_clear(
    quick: QuickTerminal, daemon: SpokenDaemon, arguments: list[str], status: Exit
) -> None:
    """One line."""
    said = quick.cxfs("metrics", *arguments)

    assert (said.status, bool(said.line)) == (status, True)


def test_prometheus_finds_it_at_a_port_of_this_machine() -> None:
    """Asked anew each time, and nothing else is there."""
    ready: list[str] = []
    counted = iter(range(10))
    came = threading.Event()

    def note(url: str) -> None:
        ready.append(url)
        came.set()

    def scrape() -> str:
        number = next(counted)
        if number == 2:
            raise KeyboardInterrupt  # as Ctrl-C does, in whichever step it comes
        return f"cxfs_up {number}\n"

    server = threading.Thread(target=serve, args=(0, scrape), kwargs={"on_ready": note})
    server.start()
    assert came.wait(30)

    def get(path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(urlsplit(ready[0]).netloc, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        told = answer.status, answer.read().decode()
        connection.close()
        return told

    found = get("/metrics"), get("/secrets"), get("/")
    with pytest.raises((http.client.HTTPException, OSError)):
        get("/metrics")
    server.join(30)

    assert ready[0].startswith("http://127.0.0.1:")
    assert found == ((200, "cxfs_up 0\n"), (404, ""), (200, "cxfs_up 1\n"))
    assert not server.is_alive()
