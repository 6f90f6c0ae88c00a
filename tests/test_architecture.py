"""The layers hold, and each contract that holds them notices a trespass.

A contract that is never seen to fail may be mistyped, or watch nothing. So each line here is planted, alone, in a copy
of the package, and the contract that forbids it has to say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

PROJECT: Final = Path(__file__).parent.parent

CONTRACTS: Final = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
}

TRESPASSES: Final = [
    # from low to high
    ("layers", "core/retry.py", "cxfs.fs.tree"),
    ("layers", "core/retry.py", "cxfs.remote.urls"),
    ("layers", "local/drafts.py", "cxfs.fs.node"),
    ("layers", "remote/urls.py", "cxfs.config"),
    ("layers", "fs/node.py", "cxfs.fuse.inodes"),
    ("layers", "fuse/inodes.py", "cxfs.daemon"),
    ("layers", "daemon.py", "cxfs.cli.exits"),
    # between siblings
    ("layers", "remote/urls.py", "cxfs.local.drafts"),
    ("layers", "local/drafts.py", "cxfs.remote.urls"),
    ("layers", "server/wire.py", "cxfs.daemon"),
    ("layers", "daemon.py", "cxfs.server.wire"),
    ("layers", "config/profiles.py", "cxfs.credentials"),
    ("layers", "mounts.py", "cxfs.fuse.mounting"),
    ("layers", "loopback.py", "cxfs.credentials"),
    ("layers", "service.py", "cxfs.daemon"),
    ("layers", "config/profiles.py", "cxfs.service"),
    ("layers", "signin.py", "cxfs.daemon"),
    ("layers", "control/server.py", "cxfs.mounts"),
    ("layers", "verbs.py", "cxfs.leftovers"),
    ("layers", "upkeep/stalls.py", "cxfs.fuse.device"),
    ("layers", "tending.py", "cxfs.verbs"),
    ("layers", "control/server.py", "cxfs.verbs"),
    # a room that nobody has given a place
    ("layers", "newcomer.py", "cxfs.core.errors"),
    # what a room has no need of
    *(
        ("core-decides", "core/retry.py", module)
        for module in (
            "asyncio", "logging", "os", "pathlib", "random", "secrets", "socket", "sqlite3", "subprocess", "threading",
            "time", "trio", "httpx", "pyfuse3", "cachetools", "anyio",
        )
    ),
    ("kernel", "cli/help.py", "errno"),
    ("kernel", "cli/help.py", "pyfuse3"),
    ("kernel", "fs/node.py", "errno"),
    ("kernel", "remote/urls.py", "pyfuse3"),
    ("kernel", "local/drafts.py", "errno"),
    ("kernel", "mounts.py", "errno"),
    ("kernel", "signin.py", "errno"),
    ("kernel", "service.py", "pyfuse3"),
    ("kernel", "loopback.py", "errno"),
    ("http", "fs/node.py", "httpx"),
    ("http", "daemon.py", "httpx"),
    ("http", "cli/help.py", "httpcore"),
    ("http", "signin.py", "httpx"),
    ("http", "service.py", "httpx"),
    ("http", "server/wire.py", "httpx"),
    ("local-is-plain", "local/drafts.py", "trio"),
    ("local-is-plain", "local/drafts.py", "httpx"),
    ("local-is-plain", "local/drafts.py", "asyncio"),
    ("fuse-is-thin", "fuse/inodes.py", "cxfs.remote.urls"),
    ("fuse-is-thin", "fuse/inodes.py", "cxfs.local.drafts"),
    ("control-apart", "control/server.py", "cxfs.fs.waiting"),
    ("control-apart", "control/client.py", "cxfs.local.drafts"),
    ("asking-is-light", "control/client.py", "cxfs.control.server"),
    ("asking-is-light", "leftovers.py", "cxfs.fs.rows"),
    ("asking-is-light", "leftovers.py", "trio"),
    ("server-apart", "server/wire.py", "cxfs.core.errors"),
    ("server-apart", "server/wire.py", "cxfs.remote.urls"),
    ("client-apart", "fs/node.py", "cxfs.server.wire"),
    ("client-apart", "remote/urls.py", "cxfs.server.wire"),
    ("client-apart", "config/profiles.py", "cxfs.server.wire"),
    ("client-apart", "signin.py", "cxfs.server.wire"),
    ("client-apart", "service.py", "cxfs.server.wire"),
    ("client-apart", "loopback.py", "cxfs.server.wire"),
]  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package's source and its contracts, in a place where they may be spoilt."""
    shutil.copytree(PROJECT / "cxfs", tmp_path / "cxfs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(project: Path, contracts: Iterable[str] = ()) -> tuple[int, list[str]]:
    """The status of import-linter on the project in that folder, and its lines."""
    options = [word for contract in contracts for word in ("--contract", contract)]
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo", *options],
        cwd=project,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(project), "LC_ALL": "C.UTF-8", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def plant(project: Path, file: str, module: str) -> None:
    """One import more at the end of a file, which is made if it is not there."""
    with (project / "cxfs" / file).open("a", encoding="utf-8") as opened:
        opened.write(f"\nimport {module}\n")


def test_every_contract_is_kept() -> None:
    """The rooms are what they are said to be."""
    status, said = lint(PROJECT)

    assert status == 0, "\n".join(said)
    assert [line for line in said if line.endswith("KEPT")] == [f"{name} KEPT" for name in CONTRACTS.values()]


def test_a_copy_without_trespass_is_kept(copy: Path) -> None:
    """So what is broken below is broken by the one planted line."""
    status, said = lint(copy)

    assert status == 0, "\n".join(said)


@pytest.mark.parametrize(("contract", "file", "module"), TRESPASSES, ids=lambda word: word.removesuffix(".py"))
def test_a_trespass_breaks_its_contract(copy: Path, contract: str, file: str, module: str) -> None:
    """Seen to fail, each alone; and the line of the report leads to the planted one."""
    plant(copy, file, module)

    status, said = lint(copy, [contract])

    assert status != 0
    assert f"{CONTRACTS[contract]} BROKEN" in said
    assert any(f"cxfs.{file.removesuffix('.py').replace('/', '.')}" in line for line in said), "\n".join(said)


def test_every_contract_has_a_trespass_here() -> None:
    """A contract without one is a promise without a proof."""
    assert {contract for contract, _, _ in TRESPASSES} == set(CONTRACTS)
