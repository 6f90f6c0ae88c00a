"""The wire itself: curl with the same bytes against a plain WebDAV server, a bound for every mount. Mounts nothing."""

from __future__ import annotations

import random
from shlex import quote
from typing import TYPE_CHECKING, Final

from tests.bench.dataset import SEED
from tests.bench.measuring import measured, run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.bench.results import Measure
    from tests.bench.trial import Trial

_CURL: Final = "curl -sSfk -H Expect:"
"""Without `Expect: 100-continue`, which costs a round trip."""
_EIGHT: Final = "-Z --parallel-max 8"


def limits(trial: Trial) -> dict[str, list[Measure]]:
    """The rows of curl, each repeated as those of the mounts are."""
    options, found = trial.options, dict[str, list["Measure"]]()
    for repetition in range(options.repetitions):
        for row, command in _commands(trial, repetition).items():
            before = found.setdefault(row, [])
            if not before or (before[0].seconds or options.cap_s) <= options.repeated_below_s:
                before.append(measured(run(command, 2 * options.cap_s)))
    return found


def _commands(trial: Trial, repetition: int) -> dict[str, str]:
    url, tree, manifest = trial.place.url, trial.place.tree, trial.dataset.manifest
    new = f"{url}/work-put{repetition}"
    eighth = manifest.root["big.bin"][0] // 8
    ranges = (f"{_CURL} -r {at * eighth}-{(at + 1) * eighth - 1} -o /dev/null {url}/big.bin" for at in range(8))
    picked = random.Random(SEED + 1).sample(manifest.tree(), 1000)
    gets = (f'url = "{url}/{path}"\noutput = /dev/null\n' for path in picked)
    puts = (
        f'upload-file = "{tree}/doomed0/{path}"\nurl = "{new}/{number}"\n'
        for number, path in enumerate(sorted(manifest.small))
    )
    run(f"{_CURL} -o /dev/null -X MKCOL {new}", trial.options.cap_s)
    return {
        "GET 1GiB": f"{_CURL} -o /dev/null {url}/big.bin",
        "GET 1GiB x8": f"{' & '.join(ranges)} & wait",
        "GET 1000 x8": f"{_CURL} {_EIGHT} -K {_listed(trial.place.state / 'gets', gets)}",
        "PUT 1GiB": f"{_CURL} -T {quote(str(tree / 'big.bin'))} {new}/big.bin",
        "PUT 2000 x8": f"{_CURL} {_EIGHT} -K {_listed(trial.place.state / 'puts', puts)}",
    }


def _listed(path: Path, transfers: Iterable[str]) -> str:
    path.write_text("".join(transfers), encoding="utf-8")
    return quote(str(path))
