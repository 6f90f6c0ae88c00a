"""Names: whatever CX can hold is shown, reads and comes back under itself; what Linux can name goes there unchanged."""

from __future__ import annotations

import os
import unicodedata
from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, Mount, checksum, eventually, tree_of

if TYPE_CHECKING:
    from pathlib import Path

LONG_AT_THE_SERVER = "🌸" * 255
"""1,020 bytes: CX counts characters."""

NAMES = {
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈 party.jpg",
    "japanese": "さくら写真.txt",
    "arabic": "صورة جميلة.png",
    "combining accent": unicodedata.normalize("NFD", "übermäßig.txt"),
    "composed accent": unicodedata.normalize("NFC", "übermäßig.txt"),
    "255 characters": "x" * 255,
    "255 bytes of three each": "桜" * 85,
    "255 bytes of four each": "🌸" * 63 + "abc",
    "escaped slash": "a%2Fb",
    "doubly escaped slash": "a%252Fb",
    "our own mark": "%cx",
    "our own mark before more": "a%cx25b",
    "our own escape of a dot in a name": "a%cx2E",
    "leading dash": "-rf",
    "newline": "first\nsecond",
    "tab": "a\tb",
    "bell": "a\x07b",
    "three dots": "...",
    "begins like the folder above": "..a",
    "hidden": ".hidden",
    "hash": "a#b",
    "question mark": "a?b=c",
    "percent": "100%",
    "half an escape": "a%2",
    "ampersand": "a&access_token=b",
    "plus": "a+b",
    "equals": "a=b",
    "colon": "self:a",
    "semicolon": "a;filename=b",
    "comma": "a,b",
    "double quote": 'a"b',
    "single quote": "a'b",
    "backslash": "a\\b",
    "carriage return": "a\rb",
    "spaces at the ends": "  a  ",
    "only a space": " ",
    "tilde": "~",
    "star": "*",
    "dollar": "$HOME",
    "line separator": "a\u2028b",
    "right to left mark": "a\u202eb",
    "no-break space": "a\u00a0b",
}


@pytest.fixture
def content() -> dict[str, bytes]:
    """Something different under each name."""
    return {name: f"content of {name!r}".encode() for name in NAMES.values()}


@pytest.fixture
def checksums(content: dict[str, bytes]) -> dict[str, str]:
    """The tree that they are."""
    return {name: checksum(stored) for name, stored in content.items()}


def refusal(mount: Mount, path: Path | bytes) -> str:
    """The errno of making a file of that name."""
    program = """
import errno, os, sys
try:
    os.close(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT))
except OSError as error:
    print(errno.errorcode[error.errno])
"""
    return mount.python(program, os.fsdecode(path)).strip()


def test_every_name_goes_to_the_server_as_it_is(
    mount: Mount, account: Account, folder: Path, content: dict[str, bytes], checksums: dict[str, str]
) -> None:
    """Names compare as exact bytes: none is altered on the way, however the request quotes it."""
    for name, stored in content.items():
        (folder / name).write_bytes(stored)

    uploaded = eventually(lambda: account.tree(mount.address(folder)), checksums)

    assert uploaded == checksums
    assert tree_of(folder) == checksums


def test_every_name_of_the_server_is_listed_and_read(
    mount: Mount, account: Account, folder: Path, content: dict[str, bytes], checksums: dict[str, str]
) -> None:
    """Whatever another client has called its files, they are all there."""
    for name, stored in content.items():
        account.put(f"{mount.address(folder)}/{name}", stored)

    copied = tree_of(folder)

    assert copied == checksums


def test_a_folder_of_any_name_is_made_entered_renamed_and_removed(mount: Mount, account: Account, folder: Path) -> None:
    """Every call finds the object behind the name."""
    for name in NAMES.values():
        (folder / name).mkdir()
        (folder / name / "inside").write_bytes(b"here")
        (folder / name).rename(folder / "between")
        (folder / "between").rename(folder / name)
    below = {f"{name}/inside": checksum(b"here") for name in NAMES.values()}
    made = dict.fromkeys(NAMES.values(), "folder") | below
    assert eventually(lambda: account.tree(mount.address(folder)), made) == made

    mount.run("rm", "-r", *(f"./{name}" for name in NAMES.values()), cwd=folder)

    assert list(folder.iterdir()) == []
    assert eventually(lambda: account.names(mount.address(folder)), set[str]()) == set()


def test_names_that_differ_only_in_how_an_accent_is_written_are_two(mount: Mount, folder: Path) -> None:
    """Nothing is normalised: what a program wrote is what it finds."""
    (folder / "caf\u00e9").write_bytes(b"composed")
    (folder / "cafe\u0301").write_bytes(b"combined")

    assert tree_of(folder) == {"caf\u00e9": checksum(b"composed"), "cafe\u0301": checksum(b"combined")}


def test_names_that_differ_only_in_case_are_two(mount: Mount, account: Account, folder: Path) -> None:
    """As everywhere on Linux."""
    (folder / "README").write_bytes(b"upper")
    (folder / "readme").write_bytes(b"lower")

    both = {"README": checksum(b"upper"), "readme": checksum(b"lower")}
    assert eventually(lambda: account.tree(mount.address(folder)), both) == both


@pytest.mark.parametrize("name", ["x" * 256, "桜" * 86], ids=["256 characters", "258 bytes"])
def test_a_name_over_255_bytes_is_too_long(mount: Mount, folder: Path, name: str) -> None:
    """NAME_MAX is what statfs says it is, and the server need not be asked."""
    refused = refusal(mount, folder / name)

    assert refused == "ENAMETOOLONG"


@pytest.mark.promise
def test_a_name_that_is_not_utf_8_is_refused(mount: Mount, folder: Path) -> None:
    """A name that is not UTF-8 cannot be made: that fails with EINVAL."""
    refused = refusal(mount, os.fsencode(folder) + b"/caf\xe9")

    assert refused == "EINVAL"


@pytest.mark.parametrize("name", ["a%cx2Fb", "a%cx00b", "%cx2E", "%cx2E.", "%cx__", "a%cx~SNU2d6zrEeGnthICOA-R7w"])
def test_a_name_that_would_be_shown_as_another_is_refused(mount: Mount, folder: Path, name: str) -> None:
    """It is how a name that Linux cannot show is written: made as it is, it would come back under another name."""
    refused = refusal(mount, folder / name)

    assert refused == "EINVAL"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["a%cx2Fb", "%cx2E", "a%cx~SNU2d6zrEeGnthICOA-R7w"])
def test_a_name_at_the_server_that_looks_like_our_escape_is_told_apart(
    mount: Mount, account: Account, folder: Path, name: str
) -> None:
    """No two names of the server look alike here."""
    account.put(f"{mount.address(folder)}/{name}", b"not escaped")

    shown = tree_of(folder)

    assert shown == {name.replace("%cx", "%cx25cx"): checksum(b"not escaped")}


def test_a_name_too_long_for_linux_is_shown_cut_and_its_file_is_read(
    mount: Mount, account: Account, folder: Path
) -> None:
    """255 characters can be 1,020 bytes: it neither breaks the listing nor hides."""
    uuid = account.put(f"{mount.address(folder)}/{LONG_AT_THE_SERVER}", b"long")["id"]
    account.put(f"{mount.address(folder)}/short", b"short")

    shown = tree_of(folder)

    (name,) = set(shown) - {"short"}
    assert shown == {"short": checksum(b"short"), name: checksum(b"long")}
    assert name.startswith("🌸🌸🌸")
    assert uuid in name
    assert len(name.encode()) <= 255


def test_a_file_with_a_name_too_long_for_linux_can_be_written_renamed_and_removed(
    account: Account, mount: Mount, folder: Path
) -> None:
    """It is a file like any other, under the name that is shown."""
    account.put(f"{mount.address(folder)}/{LONG_AT_THE_SERVER}", b"long")
    account.put(f"{mount.address(folder)}/{LONG_AT_THE_SERVER[:-1]}", b"a little shorter")
    account.put(f"{mount.address(folder)}/{LONG_AT_THE_SERVER[:-2]}", b"shorter still")
    written, renamed, removed = sorted(folder.iterdir(), key=lambda path: -path.stat().st_size)

    with written.open("ab") as file:
        file.write(b" and longer")
    renamed.rename(folder / "renamed")
    removed.unlink()

    left = {LONG_AT_THE_SERVER[:-1]: checksum(b"a little shorter and longer"), "renamed": checksum(b"shorter still")}
    assert eventually(lambda: account.tree(mount.address(folder)), left) == left


def test_a_short_name_can_become_any_other_by_mv(mount: Mount, account: Account, folder: Path) -> None:
    """The program's own quoting meets ours."""
    (folder / "plain").write_bytes(b"moved")

    mount.run("mv", "--", "plain", "-n 'quoted' \"name\" %2F\n?#&=", cwd=folder)

    moved = {"-n 'quoted' \"name\" %2F\n?#&=": checksum(b"moved")}
    assert tree_of(folder) == moved
    assert eventually(lambda: account.tree(mount.address(folder)), moved) == moved
