"""`python -m tests.bench`: run the benchmark, or report what was run. The words of its command line and no more."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from tests.bench import dataset, drawing, publishing, report, results
from tests.bench.peers import PEERS, SEARCHED, how_to_get, missing
from tests.bench.processes import PROJECT
from tests.bench.results import Line
from tests.bench.running import DATASET_S, Plan, Run, possible
from tests.bench.trial import Options
from tests.bench.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FREE_GIB: Final = 16
"""For the data set, its copies, and the caches and uploads of the largest workload, with room to spare."""

OTHER_PROGRAMS: Final = ("rclone", "sshfs", "s3fs", "mount.davfs", "fio", "curl", "git")


class Names(click.ParamType[tuple[str, ...]]):
    """Names from a table, with commas between them."""

    name = "names"

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """In the table's order; fails on one that is not in it."""
        if isinstance(value, tuple):
            return value
        names = str(value).split(",")
        if strange := [name for name in names if name not in self._known]:
            self.fail(f"{', '.join(strange)}: none of {', '.join(self._known)}", param, ctx)
        return tuple(name for name in self._known if name in names)


class Numbers(click.ParamType[tuple[float, ...]]):
    """Milliseconds, with commas between them."""

    name = "ms"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """As they stand."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(number) for number in str(value).split(","))
        except ValueError:
            self.fail(f"{value}: not numbers with commas between them", param, ctx)


RESULTS = click.Path(dir_okay=False, path_type=Path)
DOCUMENT = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, resolve_path=True, path_type=Path)
PUBLISH_HELP: Final = "A document whose marked tables are replaced; the picture goes beside it."


@click.group()
def main() -> None:
    """Run the same work through cxfs and through what a user could mount instead, and compare."""


@main.command()
@click.option("--only", type=Names(list(PEERS)), default=",".join(PEERS), help="Peers; all by default.")
@click.option("--workloads", type=Names(list(WORKLOADS)), default=",".join(WORKLOADS), help="All by default.")
@click.option("--rtt", type=Numbers(), default="0,20,100", show_default=True, help="Round-trip times.")
@click.option("--tls", is_flag=True, help="Over TLS, with those that can.")
@click.option("--cap", type=float, default=60, show_default=True, help="Seconds after which a command is stopped.")
@click.option("--repetitions", type=click.IntRange(1, dataset.REPETITIONS_MAX), default=3, show_default=True)
@click.option(
    "--repeated-below", type=float, default=5, show_default=True, help="What takes more seconds is done once."
)
@click.option("--random-seconds", type=int, default=10, show_default=True, help="How long random reads last.")
@click.option(
    "--cxfs", default=str(Path(sys.executable).with_name("cxfs")), help="The program; this checkout's by default."
)
@click.option("--scratch", type=FOLDER, default=Path("/var/tmp"), show_default=True, help="Where to work; on a disk.")
@click.option("--data", type=FOLDER, help="A data set to keep and to use again; made there if it is missing.")
@click.option(
    "--json", "kept", type=RESULTS, default=PROJECT / "build/bench.json", help="Results; an old file is added to."
)
@click.option("--publish", type=DOCUMENT, help=PUBLISH_HELP)
def run(
    only: tuple[str, ...], workloads: tuple[str, ...], rtt: tuple[float, ...], cap: float, repetitions: int,
    repeated_below: float, random_seconds: int, cxfs: str, scratch: Path, data: Path | None, kept: Path,
    publish: Path | None, *, tls: bool,
) -> None:  # fmt: skip
    """Serve, mount, measure, report; everything that it needs besides is removed at the end."""
    _refuse_where_it_cannot_work(scratch)
    signal.signal(signal.SIGTERM, _ended)
    peers, loads = possible(only, workloads, click.echo)
    options = Options(cap, repetitions, repeated_below, random_seconds, cxfs)
    plan = Plan(tuple(peers), tuple(Line(each, tls) for each in rtt), tuple(loads), options)
    seconds = plan.about_s() + (0 if data is not None and (data / "manifest.json").exists() else DATASET_S)
    click.echo(f"{sum(1 for _ in plan.trials())} trials; this will take about {max(1, round(seconds / 60))} minutes")
    found, started = results.read([kept]), time.monotonic()
    found.machine.update(_machine(cap))

    def keep(taken: results.Taken) -> None:
        found.add(taken)
        results.write(found, kept)

    with _scratch_folder(scratch) as folder:
        made = dataset.made(data or folder / "data")
        Run(plan, made, folder, keep=keep, say=click.echo).go()
    click.echo(f"took {(time.monotonic() - started) / 60:.0f} minutes; kept in {kept}\n")
    _report(found, publish)
    _give_back(kept.parent, kept, *_published_files(publish))


@main.command("report")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--publish", type=DOCUMENT, help=PUBLISH_HELP)
def report_(files: tuple[Path, ...], publish: Path | None) -> None:
    """Tables from what runs have kept; of several FILES the later ones count."""
    _report(results.read(files or [PROJECT / "build/bench.json"]), publish)


@main.command("list")
def list_() -> None:
    """Peers and workloads, and how to get what is missing for them."""
    for name, peer in PEERS.items():
        click.echo(f"{name:<14} {peer.note}{_lacking(peer.programs)}")
    for name, workload in WORKLOADS.items():
        click.echo(f"{name:<14} about {workload.about_s:g} s{_lacking(workload.programs)}")


def _lacking(programs: tuple[str, ...]) -> str:
    lacking = missing(programs)
    return f"   (missing: {how_to_get(lacking)})" if lacking else ""


def _report(found: results.Results, publish: Path | None) -> None:
    tables = report.tables(found)
    if publish is not None:
        document, picture = _published_files(publish)
        try:
            document.write_text(publishing.published(document.read_text("utf-8"), tables), "utf-8")
        except ValueError as error:
            raise click.ClickException(f"{publish}: {error}") from None
        picture.write_text(drawing.drawn(found), "utf-8")
    for name in ("goals", "seconds", "wire", "memory"):
        if tables[name]:
            click.echo(f"## {name}\n\n{tables[name]}\n")


def _published_files(publish: Path | None) -> tuple[Path, ...]:
    return () if publish is None else (publish, publish.with_suffix(".svg"))


# ---------------------------------------------------------------- the machine


def _refuse_where_it_cannot_work(scratch: Path) -> None:
    if os.geteuid():
        raise click.ClickException("only root can empty the kernel's caches: run it by `make bench`, which asks sudo")
    if shutil.disk_usage(scratch).free < FREE_GIB << 30:
        raise click.ClickException(f"{scratch} has less than {FREE_GIB} GiB free: name another place with --scratch")


def _ended(*_: object) -> NoReturn:
    """SIGTERM ends a run as Ctrl-C does: by way of everything that cleans up."""
    raise KeyboardInterrupt


@contextlib.contextmanager
def _scratch_folder(parent: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cxfs-bench-", dir=parent))
    folder.chmod(0o755)  # davfs2 works as a user of its own
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _give_back(*paths: Path) -> None:
    """To whom sudo was asked by."""
    owner, group = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    if owner and group:
        for path in paths:
            os.chown(path, int(owner), int(group))


def _machine(cap: float) -> dict[str, str]:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    libraries = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("cxfs", "pyfuse3", "trio", "httpx"))
    programs = {name: _version(name) for name in OTHER_PROGRAMS if not missing((name,))}
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{os.cpu_count()} cores ({_processor()}), {memory_gib:.0f} GiB, Linux {platform.release()}",
        "Python": f"{platform.python_version()}; {libraries}",
        "peers": ", ".join(f"{name} {version}" for name, version in programs.items()),
        "cap": f"{cap:g} s",
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(program: str) -> str:
    path = shutil.which(program, path=SEARCHED)
    said = subprocess.run([str(path), "--version"], capture_output=True, text=True, timeout=20, check=False)
    found = re.search(r"\d+\.\d[\w.]*", f"{said.stdout} {said.stderr}")
    return found[0] if found else "of unknown version"


if __name__ == "__main__":
    main(prog_name="python -m tests.bench")
