"""Programs in a real mount, and another client of the account, at work at the same time while requests fail.

Each call is noted with its start, its end and its result. Files that only programs here write are linearizable for
them, and nobody elsewhere sees what was never written; what another client writes is seen here as close-to-open has it.
Where both write, what is read is some write's, in an order that both sides' writes explain.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

import pytest

from tests.faults import NO_JSON, Cut, Faults, Late, Lost, Twice, behind, proxy_beside, refusal
from tests.history.close_to_open import stale
from tests.history.linearizable import unexplained
from tests.history.operations import Kind, Operation, Result, parsed
from tests.mounting import Mount, eventually

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.mounting import Account, CountingServer

HERE: Final = Path(__file__).parent
ACTORS: Final = 3
NAMES: Final = ("x", "y")
TTL_S: Final = 1
OPTIONS: Final = ("--metadata-ttl", f"{TTL_S}", "--negative-ttl", f"{TTL_S}")
ALLOWED_S: Final = TTL_S + 10.0
"""From the end of a change elsewhere until every open here sees it: the TTL, and the deadline of a listing's answer."""

SHARE: Final = 0.3
FAULTS: Final = (
    refusal(500),
    refusal(503, retry_after_s=1),
    refusal(429, retry_after_s=1),
    NO_JSON,
    Lost(),
    Lost(refusal(504)),
    Cut(),
    Cut(100),
    Twice(),
    Late(0.2),
)
"""What goes by when it is tried again, within any call's deadline."""


class Elsewhere:
    """Another client: it writes in one folder, looks into another, and notes all of it like the programs here."""

    def __init__(self, account: Account, seed: int) -> None:
        self._account = account
        self._chance = Random(seed)
        self._count = 0
        self.wrote: dict[str, list[Operation]] = {"theirs": [], "shared": []}
        self.saw: list[Operation] = []

    def act(self) -> None:
        """The next call."""
        self._count += 1
        name = self._chance.choice(NAMES)
        match self._chance.randrange(4):
            case 0:
                self._look(name)
            case 1:
                self._write("shared", name)
            case _:
                self._write("theirs", name)

    def _write(self, folder: str, name: str) -> None:
        value = f"there-{self._count}".ljust(32, ".")
        start = time.monotonic()
        self._account.put(f"/{folder}/{name}", value.encode())
        self.wrote[folder].append(Operation(Kind.SAVE, name, start, time.monotonic(), value, is_ours=False))

    def _look(self, name: str) -> None:
        start = time.monotonic()
        if name not in self._account.names("/ours"):
            self.saw.append(Operation(Kind.READ, name, start, time.monotonic(), result=Result.ABSENT, is_ours=False))
            return
        try:
            value = self._account.content(f"/ours/{name}").decode()
        except AssertionError:  # renamed meanwhile
            return
        self.saw.append(Operation(Kind.READ, name, start, time.monotonic(), value, is_ours=False))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """For the length of the block, in a thread."""
        over = Event()

        def work() -> None:
            while not over.wait(0.05):
                self.act()

        thread = Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


class Acting:
    """Programs in the mount, and what they noted."""

    def __init__(self, mount: Mount, seconds: float) -> None:
        self._mount = mount
        self._seconds = seconds
        self._programs: dict[str, list[subprocess.Popen[str]]] = {}

    def begin(self, folder: str, *, only_reads: bool = False, programs: int = ACTORS) -> None:
        """At work in this folder."""
        root = HERE.parent.parent
        program = f"runpy.run_path({str(HERE / 'actor.py')!r}, run_name='__main__')"
        start = f"import runpy, sys; sys.path.insert(0, {str(root)!r}); {program}"
        how = "reads" if only_reads else "writes"
        self._programs[folder] = [
            self._mount.spawn(start, self._mount.path / folder, f"{folder}-{number}", str(self._seconds), how, *NAMES)
            for number in range(programs)
        ]

    def noted(self) -> dict[str, list[Operation]]:
        """By folder, once all have ended."""
        found: dict[str, list[Operation]] = {}
        for folder, programs in self._programs.items():
            outputs = [program.communicate(timeout=self._seconds + 120)[0] for program in programs]
            assert [program.returncode for program in programs] == [0] * len(programs)
            found[folder] = parsed(line for output in outputs for line in output.splitlines())
        return found


def wrongs(server: CountingServer, account: Account, home: Path, *, seconds: float, seed: int) -> list[str]:
    """What is wrong with a history of that many seconds."""
    for folder in ("ours", "theirs", "shared"):
        account.make_folder(f"/{folder}")
    faults, elsewhere = Faults(seed=seed), Elsewhere(account, seed)
    with ExitStack() as stack:
        proxy = stack.enter_context(proxy_beside(faults, server))
        seen = behind(proxy, account)
        stack.callback(seen.close)
        mount = stack.enter_context(Mount(seen, home, *OPTIONS))
        acting = Acting(mount, seconds)
        faults.by_chance(SHARE, *FAULTS)
        with elsewhere.at_work():
            acting.begin("ours")
            acting.begin("theirs", only_reads=True, programs=1)
            acting.begin("shared", programs=2)
            history = acting.noted()
        befallen = faults.hits()
        faults.mends()
        # The kernel may hold what a program had open for a moment longer than the program lives.
        assert eventually(lambda: mount.cxfs("umount", str(mount.path)).returncode, 0) == 0, mount.log()
        home.with_name("log").write_text(mount.log(), encoding="utf-8")
    for folder, calls in history.items():
        _keep([*calls, *elsewhere.wrote.get(folder, elsewhere.saw)], home.with_name(f"history of {folder}"))
    return [
        *_enough(history, elsewhere, befallen),
        *_ours(history["ours"], elsewhere, account),
        *stale([*history["theirs"], *elsewhere.wrote["theirs"]], allowed_s=ALLOWED_S),
        *_shared([*history["shared"], *elsewhere.wrote["shared"]]),
    ]


def _keep(calls: list[Operation], file: Path) -> None:
    """What was noted, beside the home of the mount: for whoever looks into a failure."""
    file.write_text(
        "".join(f"{call.line()}\n" for call in sorted(calls, key=lambda call: call.start)), encoding="utf-8"
    )


def _ours(ours: list[Operation], elsewhere: Elsewhere, account: Account) -> list[str]:
    """What only programs here write: for themselves, for others, and in the end."""
    found = [] if (odd := unexplained(ours)) is None else [f"no order explains {odd}, after\n{_before(ours, odd)}"]
    left = account.names("/ours")
    end = max(call.end for call in ours) + 1
    last = [
        Operation(Kind.READ, name, end, end + 1, account.content(f"/ours/{name}").decode())
        if name in left
        else Operation(Kind.READ, name, end, end + 1, result=Result.ABSENT)
        for name in NAMES
    ]
    if not found and (odd := unexplained([*ours, *last])) is not None:
        found.append(f"the server has in the end what no order explains: {odd}")
    found += [f"{name} is left on the server" for name in left if name not in NAMES and not name.startswith(".")]
    values = {call.value for call in ours if call.kind in {Kind.SAVE, Kind.OVERWRITE}}
    return found + [f"elsewhere {call.value!r} is seen" for call in elsewhere.saw if call.value not in {"", *values}]


def _before(calls: list[Operation], odd: Operation) -> str:
    """What was under way in the second up to the odd one, in the order in which it began."""
    near = [call for call in calls if call.end > odd.start - 1 and call.start < odd.end]
    return "\n".join(map(str, sorted(near, key=lambda call: call.start)))


def _shared(both: list[Operation]) -> list[str]:
    """What both sides write. What is deleted here may come back by a change elsewhere that nobody here had seen."""
    return [] if (odd := unexplained(both)) is None else [f"no order of both sides' writes explains {odd}"]


def _enough(history: dict[str, list[Operation]], elsewhere: Elsewhere, befallen: int) -> list[str]:
    """A history in which little happens proves little."""
    found = [f"only {len(calls)} calls in {folder}" for folder, calls in history.items() if len(calls) < 30]
    for folder in ("ours", "shared"):
        done = sum(1 for call in history[folder] if call.result is not Result.UNKNOWN)
        found += [f"only {done} of {len(history[folder])} calls in {folder} succeed"] * (
            done < len(history[folder]) / 2
        )
    found += ["little is written elsewhere"] * (len(elsewhere.wrote["theirs"]) < 20)
    return found + [f"only {befallen} requests fail"] * (befallen < 15)


def test_what_programs_see_for_some_seconds_is_in_order(
    running_server: CountingServer, own_account: Account, tmp_path: Path
) -> None:
    """Longer than what close-to-open allows, so that the end of it is seen."""
    assert wrongs(running_server, own_account, tmp_path / "home", seconds=20, seed=1) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_what_programs_see_for_a_minute_is_in_order(
    running_server: CountingServer, own_account: Account, tmp_path: Path, seed: int
) -> None:
    """As above, for longer."""
    assert wrongs(running_server, own_account, tmp_path / "home", seconds=60, seed=seed) == []
