"""docs/applications.md, the registry and what is installed for the tests say the same."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from tests.applications.page import page, tables
from tests.applications.registry import APPLICATIONS

PROJECT: Final = Path(__file__).parent.parent.parent
ESSENTIAL: Final = {"cp", "find", "sed", "sh", "tar", "python3", "make"}
"""On every Debian machine, or what `make test` itself is run by."""


def listed(name: str) -> set[str]:
    """The programs in an array of .ci/setup."""
    script = (PROJECT / ".ci/setup").read_text(encoding="utf-8")
    array = script.partition(f"{name}=(")[2].partition(")")[0]
    return set(array.split())


def test_the_page_is_that_of_a_run_in_which_every_row_ended_as_it_should() -> None:
    """`make applications` writes it; a row that was changed since has to be run again."""
    document = (PROJECT / "docs/applications.md").read_text(encoding="utf-8")

    assert tables(document) == tables(page(failed=set(), versions={}, system=""))


def test_every_name_is_that_of_one_row() -> None:
    """Results and folders go by it."""
    assert len({each.name for each in APPLICATIONS}) == len(APPLICATIONS)


def test_what_is_refused_has_its_reason() -> None:
    """Nothing is merely said not to work."""
    assert [each.name for each in APPLICATIONS if each.refusal and not each.remark] == []


def test_a_row_that_failed_says_so() -> None:
    """And no other one does."""
    document = page(failed={"git gc"}, versions={"git": "1"}, system="Debian")

    assert [line.split("|")[1].strip() for line in document.splitlines() if "**fails**" in line] == ["git gc"]


def test_the_programs_of_the_rows_are_installed_for_their_tests() -> None:
    """The small ones by `make test`, which skips nothing, the large ones by `make applications`."""
    small = {each.program for each in APPLICATIONS if not each.is_large}
    large = {each.program for each in APPLICATIONS} - small

    assert small - ESSENTIAL - listed("programs_for_tests") == set()
    assert large == listed("programs_for_applications")


def test_the_setup_knows_the_package_of_each_program() -> None:
    """Where it is called otherwise than the program."""
    script = (PROJECT / ".ci/setup").read_text(encoding="utf-8")
    otherwise = {each.program: each.package for each in APPLICATIONS if each.program not in ESSENTIAL | {each.package}}

    assert [name for name, package in otherwise.items() if f"[{name}]={package}" not in script] == []
    assert subprocess.run(["bash", "-n", PROJECT / ".ci/setup"], check=False).returncode == 0
