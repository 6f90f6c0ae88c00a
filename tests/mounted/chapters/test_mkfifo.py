"""mkfifo(): a named pipe."""

from __future__ import annotations

import os
import stat
from errno import EACCES, EEXIST, ENXIO
from typing import TYPE_CHECKING

import pytest

from tests.mounted.chapters.calls import creat, fails, opened
from tests.mounted.chapters.explained import NO_DEVICES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounted.chapters.person import Person


@NO_DEVICES
def test_what_goes_in_comes_out(here: Path) -> None:
    os.mkfifo(here / "pipe")

    assert stat.S_ISFIFO(os.stat(here / "pipe").st_mode)
    with opened(here / "pipe", os.O_RDWR) as pipe:
        os.write(pipe, b"content")
        assert os.read(pipe, 10) == b"content"


@NO_DEVICES
def test_enxio_for_a_writer_without_a_reader(here: Path) -> None:
    os.mkfifo(here / "pipe")

    with fails(ENXIO):
        os.open(here / "pipe", os.O_WRONLY | os.O_NONBLOCK)


@pytest.mark.parametrize("taken", ["a file", "a folder"])
def test_eexist_where_the_name_is_taken(here: Path, taken: str) -> None:
    creat(here / "name") if taken == "a file" else os.mkdir(here / "name")

    with fails(EEXIST):
        os.mkfifo(here / "name")


def test_eacces_where_the_user_may_not_write_the_folder(here: Path, nobody: Person) -> None:
    with fails(EACCES):
        nobody(os.mkfifo, here / "pipe")

    assert os.listdir(here) == []
