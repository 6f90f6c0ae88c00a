"""What is installed with cxfs, and what stands at the top of the project."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pytest

import cxfs

PROJECT: Final = Path(__file__).parent.parent

DISTRIBUTION_OF: Final = {"argon2": "argon2-cffi", "PIL": "pillow", "psycopg_pool": "psycopg-pool"}
"""Where the name that is imported is not the name that is installed."""

TOP: Final = {
    "cxfs", "tests", "systemd", "docs", ".ci",
    "pyproject.toml", "README.md", "Makefile", "LICENSE", "CHANGELOG.md", ".gitignore",
}  # fmt: skip

SERVER: Final = {"server"}
TEAM: Final = {
    "server/bucket.py", "server/connections.py", "server/notifications.py", "server/postgresql.py",
    "server/upgrading.py",
    "server/migrations/env.py", "server/migrations/versions/step_0001.py",
}  # fmt: skip
DEMO: Final = {"cli/samples.py"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The table [project] of pyproject.toml."""
    return dict(tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def names_of(requirements: list[str]) -> set[str]:
    """The distributions in a list of requirements, ours left out."""
    return {found[0] for each in requirements if (found := re.match(r"[\w-]+", each))} - {"cxfs"}


def imported_by(*files: Path) -> set[str]:
    """The distributions that these files import, anywhere in them; neither ours nor Python's own."""
    found = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_bytes()))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    modules = {name.partition(".")[0] for name in found} - sys.stdlib_module_names - {"cxfs"}
    return {DISTRIBUTION_OF.get(module, module) for module in modules}


def source() -> dict[str, Path]:
    """Every module of the package by its path in it."""
    folder = PROJECT / "cxfs"
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.py")}


def test_the_client_installs_what_it_imports_and_no_more(project: dict[str, Any]) -> None:
    """What a dependency happens to bring along may go with its next release."""
    client = [path for name, path in source().items() if not name.startswith("server/") and name not in DEMO]

    assert imported_by(*client) == names_of(project["dependencies"])


def test_the_server_installs_what_it_imports_and_no_more(project: dict[str, Any]) -> None:
    """As the extra `server`, beside what the command line needs."""
    server = [path for name, path in source().items() if name.startswith("server/") and name not in TEAM]

    assert imported_by(*server) - names_of(project["dependencies"]) == names_of(
        project["optional-dependencies"]["server"]
    )


def test_a_server_for_a_team_installs_what_it_imports_and_no_more(project: dict[str, Any]) -> None:
    """As the extra `team`, which brings the server."""
    team = [path for name, path in source().items() if name in TEAM]
    brought = names_of(project["dependencies"]) | names_of(project["optional-dependencies"]["server"])

    assert imported_by(*team) - brought == names_of(project["optional-dependencies"]["team"])


def test_the_demo_installs_what_it_imports_and_no_more(project: dict[str, Any]) -> None:
    """As the extra `demo`, which brings the server."""
    demo = [path for name, path in source().items() if name in DEMO]

    assert imported_by(*demo) == names_of(project["optional-dependencies"]["demo"])
    assert "cxfs[server]" in project["optional-dependencies"]["demo"]


def test_the_tests_install_what_they_import(project: dict[str, Any]) -> None:
    """All of them, with the extra `test`."""
    extras = project["optional-dependencies"]
    installed = names_of(
        [*project["dependencies"], *extras["server"], *extras["team"], *extras["demo"], *extras["test"]]
    )

    assert imported_by(*(PROJECT / "tests").rglob("*.py")) - {"tests"} - installed == set()


def test_every_dependency_has_its_reason(project: dict[str, Any]) -> None:
    """A row of the table in docs/decisions.md says what it is for."""
    declared = names_of([*project["dependencies"], *chain(*project["optional-dependencies"].values())])
    section = (PROJECT / "docs/decisions.md").read_text(encoding="utf-8").partition("## Dependencies")[2]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")]

    reasoned = {name.strip() for row in rows for name in row.split(",")} - {"package"}

    assert reasoned == declared


def test_every_requirement_has_a_lower_bound_that_is_met_here(project: dict[str, Any]) -> None:
    """Older releases were never tried."""
    bounds = re.findall(r"^([\w-]+)>=([\d.]+)$", "\n".join(project["dependencies"]), re.MULTILINE)

    assert {name for name, _ in bounds} == names_of(project["dependencies"])
    assert [name for name, bound in bounds if _numbers(importlib.metadata.version(name)) < _numbers(bound)] == []


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:2]]


def test_the_version_is_said_once() -> None:
    """In the package; what is installed follows it."""
    assert importlib.metadata.version("cxfs") == cxfs.__version__


def test_the_package_says_that_it_is_typed() -> None:
    """For the checkers of whoever imports it."""
    assert (PROJECT / "cxfs/py.typed").is_file()


def test_nothing_else_stands_at_the_top() -> None:
    """A newcomer sees the rooms and no litter."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60,
    ).stdout.split("\0")  # fmt: skip

    assert {name.partition("/")[0] for name in listed if name} - TOP == set()
