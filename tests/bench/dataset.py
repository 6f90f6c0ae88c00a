"""The files that every peer serves, and those that are written to it: the same bytes on every machine. Serves nothing.

root/      what is served: 10,000 small files in 200 folders (tree), 50 of 10 MiB (medium), one of 1 GiB (big.bin), a
           git work tree of 2,000 (wc), and 2,000 that wait to be removed (doomed0, doomed1, doomed2)
src/       what is written: an archive of 2,000 files (small.tar), a git repository of 2,000 (repo.git)
manifest.json   size and SHA-256 of each
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import random
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

SEED: Final = 20240607
REPETITIONS_MAX: Final = 3
"""Each removes a folder of its own."""

_PIECE_BYTES: Final = 4 << 20
_READERS: Final = 8
_MTIME: Final = 1_700_000_000

_GIT: Final = {
    "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z", "GIT_AUTHOR_NAME": "b", "GIT_AUTHOR_EMAIL": "b@example.invalid",
    "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z", "GIT_COMMITTER_NAME": "b", "GIT_COMMITTER_EMAIL": "b@example.invalid",
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
}  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """How much of each; as it stands, what the figures are about."""

    top_folders: int = 10
    folders_in_each: int = 19
    files_in_each: int = 50
    medium_files: int = 50
    medium_bytes: int = 10 << 20
    big_bytes: int = 1 << 30
    archived_folders: int = 40
    sources: int = 2000


Expected = dict[str, tuple[int, str]]
"""Size in bytes and SHA-256 by path."""


class Manifest(msgspec.Struct):
    """What has to be where: below root/, in the archive, in the repository."""

    root: Expected
    small: Expected
    repo: Expected

    def tree(self) -> list[str]:
        """The paths of the 10,000, sorted."""
        return sorted(path for path in self.root if path.startswith("tree/"))


@dataclass(frozen=True)
class Dataset:
    """A data set that is there."""

    folder: Path
    manifest: Manifest

    @property
    def root(self) -> Path:
        """What is served."""
        return self.folder / "root"

    @property
    def archive(self) -> Path:
        """The tar file of what the manifest calls `small`."""
        return self.folder / "src" / "small.tar"

    @property
    def repository(self) -> Path:
        """The bare repository of what the manifest calls `repo`."""
        return self.folder / "src" / "repo.git"

    def restore(self) -> None:
        """Brings root/ back to its first state: what runs have written goes, what they have removed comes."""
        for path in self.root.iterdir():
            if path.name.startswith(("work", ".rclone_temp")):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for folder in (self.root / f"doomed{number}" for number in range(REPETITIONS_MAX)):
            if sum(1 for path in folder.rglob("*") if path.is_file()) != len(self.manifest.small):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                subprocess.run(["tar", "-xf", self.archive, "-C", folder], check=True)


def made(folder: Path, scale: Scale | None = None) -> Dataset:
    """The data set in that folder, made there if it is missing: about 1.8 GB in half a minute."""
    kept = folder / "manifest.json"
    if not kept.exists():
        for name in ("root", "src"):
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)
        manifest = _Maker(folder, scale or Scale()).manifest()
        kept.write_bytes(msgspec.json.encode(manifest))
    dataset = Dataset(folder, msgspec.json.decode(kept.read_bytes(), type=Manifest))
    dataset.restore()
    return dataset


class _Maker:
    """Draws all sizes and bytes from one stream of chance: to change their order is to change the data set."""

    def __init__(self, folder: Path, scale: Scale) -> None:
        self._root = folder / "root"
        self._src = folder / "src"
        self._scale = scale
        self._chance = random.Random(SEED)

    def manifest(self) -> Manifest:
        root = self._tree() | self._medium() | self._big()
        return Manifest(root=root, small=self._archive(), repo=self._repository())

    def _tree(self) -> Expected:
        scale, expected = self._scale, Expected()
        for top in (f"tree/d{number:02}" for number in range(scale.top_folders)):
            for folder in (top, *(f"{top}/s{number:02}" for number in range(scale.folders_in_each))):
                for number in range(scale.files_in_each):
                    path = f"{folder}/f{number:04}.bin"
                    expected[path] = _put(self._root / path, self._chance.randbytes(self._small_size()))
        return expected

    def _small_size(self) -> int:
        """Up to 64 KiB, log-normal with a median of 4 KiB; one in a hundred is empty."""
        if self._chance.random() < 0.01:
            return 0
        return min(65536, int(self._chance.lognormvariate(math.log(4096), 1.2)))

    def _medium(self) -> Expected:
        paths = [f"medium/m{number:02}.bin" for number in range(self._scale.medium_files)]
        return {path: _put(self._root / path, self._chance.randbytes(self._scale.medium_bytes)) for path in paths}

    def _big(self) -> Expected:
        digest = hashlib.sha256()
        with (self._root / "big.bin").open("wb") as file:
            for _ in range(self._scale.big_bytes // _PIECE_BYTES):
                piece = self._chance.randbytes(_PIECE_BYTES)
                digest.update(piece)
                file.write(piece)
        return {"big.bin": (self._scale.big_bytes, digest.hexdigest())}

    def _archive(self) -> Expected:
        """50 files of about 10 KiB in each folder."""
        expected = Expected()
        with tarfile.open(self._src / "small.tar", "w") as archive:
            for folder in (f"p{number:02}" for number in range(self._scale.archived_folders)):
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, _MTIME
                archive.addfile(entry)
                for number in range(50):
                    content = self._chance.randbytes(self._chance.randrange(8 << 10, 12 << 10))
                    entry = tarfile.TarInfo(f"{folder}/f{number:02}.bin")
                    entry.size, entry.mode, entry.mtime = len(content), 0o644, _MTIME + number
                    archive.addfile(entry, io.BytesIO(content))
                    expected[entry.name] = _fingerprint(content)
        return expected

    def _repository(self) -> Expected:
        """Text in a packed repository, and a work tree of it among what is served."""
        expected, work, bare = Expected(), self._src / "work", self._src / "repo.git"
        words = [
            "".join(self._chance.choices("abcdefghijklmnopqrstuvwxyz", k=self._chance.randrange(2, 10)))
            for _ in range(4000)
        ]
        for number in range(self._scale.sources):
            lines = range(self._chance.randrange(5, 150))
            text = "\n".join(" ".join(self._chance.choices(words, k=9)) for _ in lines)
            path = f"src/m{number // 50:02}/f{number % 50:02}.py"
            expected[path] = _put(work / path, text.encode())
        for arguments in (
            ("init", "-q", "-b", "main", work), ("-C", work, "add", "-A"), ("-C", work, "commit", "-q", "-m", "one"),
            ("clone", "-q", "--bare", work, bare), ("-C", bare, "gc", "-q"),
            ("clone", "-q", "--no-hardlinks", bare, self._root / "wc"),
        ):  # fmt: skip
            subprocess.run(["git", *arguments], check=True, env=os.environ | _GIT)
        shutil.rmtree(work)
        return expected


def _put(path: Path, content: bytes) -> tuple[int, str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return _fingerprint(content)


def _fingerprint(content: bytes) -> tuple[int, str]:
    return len(content), hashlib.sha256(content).hexdigest()


def fingerprint_of(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wrong(folder: Path, expected: Expected, *, contents: bool) -> int:
    """How many files are not there as they should be: by their size alone, or by their contents too.

    Contents are read by several at once: through a mount far from its server, one after another would take minutes.
    """

    def is_wrong(path: str) -> bool:
        return not _is_right(folder / path, *expected[path], contents=contents)

    if not contents:
        return sum(map(is_wrong, expected))
    with ThreadPoolExecutor(_READERS) as readers:
        return sum(readers.map(is_wrong, expected))


def _is_right(path: Path, size: int, digest: str, *, contents: bool) -> bool:
    try:
        return path.stat().st_size == size and (not contents or fingerprint_of(path) == digest)
    except OSError:
        return False
