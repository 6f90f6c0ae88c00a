"""Every application does in a mount what it does on a local disk, and the server has what it wrote, unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.applications.conftest import folder_of
from tests.applications.registry import APPLICATIONS
from tests.applications.trial import Trial
from tests.mounting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.applications.application import Application
    from tests.mounting import Mount

WORKING = [each for each in APPLICATIONS if not each.refusal]
REFUSED = [each for each in APPLICATIONS if each.refusal]


def small(applications: list[Application]) -> list[Application]:
    """Those that are soon installed and soon done."""
    return [each for each in applications if not each.is_large]


def name_of(application: Application) -> str:
    return application.name


@pytest.mark.parametrize("application", small(WORKING), ids=name_of)
def test_an_application_works(application: Application, mount: Mount, elsewhere: Mount, tmp_path: Path) -> None:
    """And another machine sees what it wrote."""
    trial = Trial(application, mount, folder_of(application.name), tmp_path, full=False)

    works_here(trial)

    shown = trial.shown(mount)
    assert eventually(lambda: trial.shown(elsewhere), shown) == shown
    trial.check(elsewhere)


@pytest.mark.applications
@pytest.mark.parametrize("application", WORKING, ids=name_of)
def test_an_application_works_in_full(application: Application, mount: Mount, elsewhere: Mount, tmp_path: Path) -> None:
    """And it is the same at the server, on another machine, and after a remount."""
    trial = Trial(application, mount, folder_of(application.name), tmp_path, full=True)

    works_here(trial)

    shown = trial.shown(mount)
    assert at_the_server(trial, shown) == shown
    assert eventually(lambda: trial.shown(elsewhere), shown) == shown
    trial.check(elsewhere)
    if shown:  # else the server has said already that nothing is left
        mount.remount()
    assert trial.shown(mount) == shown
    trial.check(mount)


@pytest.mark.parametrize("application", small(REFUSED), ids=name_of)
def test_an_application_that_cannot_work_is_told_so(application: Application, mount: Mount, tmp_path: Path) -> None:
    """It ends by itself, and says what it is refused."""
    is_refused(Trial(application, mount, folder_of(application.name), tmp_path, full=False))


@pytest.mark.applications
@pytest.mark.parametrize("application", REFUSED, ids=name_of)
def test_an_application_that_cannot_work_is_told_so_in_full(
    application: Application, mount: Mount, tmp_path: Path
) -> None:
    """However often it tries."""
    is_refused(Trial(application, mount, folder_of(application.name), tmp_path, full=True))


def works_here(trial: Trial) -> None:
    """It does what it should in its mount, and the server has it; what it saves is one version more of one object."""
    trial.prepare()
    saved = f"/{trial.folder}/{trial.application.saves}"
    account = trial.mount.account
    uuid = account.describe(saved)["id"] if trial.application.saves else ""

    done = trial.run()

    assert done.returncode == 0, f"it ended with {done.returncode}:\n{done.stdout}\n{trial.mount.log()}"
    trial.check(trial.mount)
    trial.sync()
    if trial.application.saves:
        assert account.describe(saved)["id"] == uuid
        assert [each["version"] for each in account.versions(saved)] == [2, 1]


def at_the_server(trial: Trial, shown: dict[str, str]) -> dict[str, str]:
    """What it has there, to whoever knows no links: each is a file, whose content is told by those who do."""
    links = {path: what for path, what in shown.items() if what.startswith("->")}
    found = trial.mount.account.tree(f"/{trial.folder}")
    return found | {path: links[path] for path in links.keys() & found}


def is_refused(trial: Trial) -> None:
    """It does not work, for the reason that its row tells."""
    trial.prepare()

    done = trial.run()

    assert trial.application.refusal in done.stdout
