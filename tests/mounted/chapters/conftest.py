"""Where a case is lived through: in a folder on a local disk, and in a mount. Its outcome becomes part of a row."""

from __future__ import annotations

import errno
import itertools
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.conformance.recording import record
from tests.conformance.report import Row
from tests.mounted.chapters.person import NOBODY, Person
from tests.mounting import Mount, account_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.mounting import CountingServer

LIFE_S: Final = 3600.0
"""One mount serves all chapters, and the whole matrix, on a slow machine too."""


@pytest.fixture(scope="package")
def ground() -> Iterator[Path]:
    """A folder on a local disk that every user may come to."""
    with tempfile.TemporaryDirectory(prefix="cxfs-posix-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="package")
def shared_mount(running_server: CountingServer, ground: Path) -> Iterator[Mount]:
    """A mount that every user may come to."""
    with (
        account_of(running_server, f"posix-{secrets.token_hex(4)}") as account,
        Mount(account, ground / "home", "-o", "allow_other", life_s=LIFE_S) as mount,
    ):
        yield mount


@pytest.fixture(scope="package")
def nobody() -> Iterator[Person]:
    """A user whom nothing belongs to."""
    with Person(NOBODY) as person:
        yield person


@pytest.fixture(scope="package")
def numbers() -> Iterator[int]:
    """For folders of one test each."""
    return itertools.count()


@pytest.fixture(params=["on a local disk", "in the mount"])
def here(request: pytest.FixtureRequest, ground: Path, numbers: Iterator[int]) -> Path:
    """An empty folder for one case alone."""
    base: Path = request.getfixturevalue("shared_mount").path if request.param == "in the mount" else ground
    folder = base / f"case-{next(numbers)}"
    folder.mkdir()
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A case in the mount ends as on a local disk, unless it is marked; either way it counts."""
    if pyfuncitem.funcargs.get("here") is None or pyfuncitem.callspec.params["here"] == "on a local disk":
        return (yield)
    mark = pyfuncitem.get_closest_marker("differs")
    told = Row(pyfuncitem.path.stem.removeprefix("test_"), 1, mark is None, () if mark is None else mark.args[1:])
    if mark is None:
        yield
    else:
        try:
            yield
        except (OSError, AssertionError) as found:
            _check(found, mark.args[0])
        else:
            pytest.fail(f"it ends as on a local disk, though it is said that {mark.args[1]}")
    record(lambda name, value: pyfuncitem.user_properties.append((name, value)), told)
    return True


def _check(found: OSError | AssertionError, expected: int | type[AssertionError]) -> None:
    """Raises it again unless that was to be expected."""
    is_it = found.errno == expected if isinstance(found, OSError) else expected is AssertionError
    if not is_it:
        name = errno.errorcode[expected] if isinstance(expected, int) else "not to hold"
        found.add_note(f"in the mount it was expected to fail with {name}")
        raise found
