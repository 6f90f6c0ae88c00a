"""The configuration file when `cxfs login` adds to it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from cxfs import config
from cxfs.config import Config, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

BY_HAND = """\
# what I mount
default_profile = "work"

[profiles.work]   # the company's
api_url = "https://cx.example.org"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cxfs" / "config.toml"


@pytest.fixture
def by_hand(file: Path) -> Config:
    """A file that a person wrote."""
    file.parent.mkdir()
    file.write_text(BY_HAND)
    return config.parse(file.read_bytes(), file)


def test_a_first_profile_makes_the_file(file: Path) -> None:
    """And the folder it stands in, for the person alone."""
    edited = config.edited(Config(file), "home", {"api_url": "https://127.0.0.1:8443", "allow_http": False})

    edited.write()

    assert config.parse(file.read_bytes(), file).profile() == edited.profile
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_nothing_is_written_before_it_is_meant(file: Path) -> None:
    """A server that cannot be reached leaves no profile behind."""
    edited = config.edited(Config(file), "home", {"api_url": "https://127.0.0.1:8443"})

    assert edited.profile.name == "home"
    assert not file.exists()


def test_what_stands_there_stays_as_it_is(by_hand: Config, file: Path) -> None:
    """Comments, order and spaces are the person's."""
    config.edited(by_hand, "home", {"api_url": "https://home.example.org"}).write()

    assert file.read_text().startswith(BY_HAND)
    assert '[profiles.home]\napi_url = "https://home.example.org"\n' in file.read_text()


def test_a_profile_that_is_there_gets_a_key_more(by_hand: Config, file: Path) -> None:
    """Beside its others."""
    config.edited(by_hand, "work", {"ca_file": "/etc/cx/ca.pem"}).write()

    found = config.parse(file.read_bytes(), file).profile("work")
    assert found.api_url == "https://cx.example.org"
    assert str(found.ca_file) == "/etc/cx/ca.pem"


def test_an_edit_that_changes_nothing_writes_nothing(by_hand: Config, file: Path) -> None:
    """Its time stays, and a file that cannot be written is no trouble."""
    file.chmod(0o400)
    before = file.stat()

    config.edited(by_hand, "work", {"api_url": "https://cx.example.org"}).write()

    assert file.stat() == before


def test_the_file_keeps_its_mode_and_stays_a_link(by_hand: Config, file: Path, tmp_path: Path) -> None:
    """People keep their configuration elsewhere and link to it."""
    elsewhere = tmp_path / "dotfiles.toml"
    file.rename(elsewhere)
    elsewhere.chmod(0o640)
    file.symlink_to(elsewhere)

    config.edited(by_hand, "home", {"api_url": "https://home.example.org"}).write()

    assert file.is_symlink()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o640
    assert "home.example.org" in elsewhere.read_text()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("home", {"api_url": "cx.example.org"}),
        ("home", {"api_url": "http://cx.example.org"}),
        ("home", {"api_url": "https://user:secret@cx.example.org"}),
        ("../home", {"api_url": "https://cx.example.org"}),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    by_hand: Config, file: Path, name: str, values: dict[str, str | bool]
) -> None:
    """The same rules as for a person's own hand."""
    with pytest.raises(ConfigError):
        config.edited(by_hand, name, values)

    assert file.read_text() == BY_HAND


def test_a_file_that_cannot_be_written_is_said(by_hand: Config, file: Path) -> None:
    """In one line, by its name."""
    edited = config.edited(by_hand, "home", {"api_url": "https://home.example.org"})
    file.unlink()
    file.parent.rmdir()
    file.parent.touch()

    with pytest.raises(ConfigError, match=r"config\.toml: cannot be written"):
        edited.write()
