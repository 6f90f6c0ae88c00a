"""A directory made by an earlier format is taken on, whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import httpx
import pytest

from cxfs.server import administration, schema
from cxfs.server.app import make_app
from cxfs.server.errors import ServerError
from cxfs.server.hashes import Passwords
from cxfs.server.store import open_store
from tests.server.browser import HOME, Browser
from tests.server.person import found_in

DUMP = Path(__file__).parent / "data/format_1.sql"
TOKEN = "4xigCwkKjCJu0YVJ8FFMpCiVZh8uMnkCCrF4yHWYFS8"
TOKEN_OF_PHOTOS = "KBoyjcb6ldAM7txg66zknUgSXS4JzH0vj5A9av2ak2A"
CLIENT = ("yOquKc2gQhOolOoG7Feh_Q", "ry25SPNh7PDzoleI1y8aTQYcqmwHmoL63MW3_hUgRqA")
NOTE = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Of a server of format 1 with two users, a group, an application and a file."""
    directory = tmp_path / "server"
    (directory / "content" / NOTE[:2]).mkdir(parents=True)
    (directory / "content" / NOTE[:2] / NOTE[2:]).write_bytes(b"hello")
    connection = sqlite3.connect(directory / "cx.sqlite3")
    connection.executescript(DUMP.read_text(encoding="utf-8"))
    connection.close()
    return directory


def tables_of(directory: Path) -> set[tuple[str, str]]:
    """Names and definitions, for the layout of the text does not matter."""
    connection = sqlite3.connect(directory / "cx.sqlite3")
    found = {
        (name, " ".join((sql or "").replace('"', "").split()))
        for name, sql in connection.execute("SELECT name, sql FROM sqlite_schema")
    }
    connection.close()
    return found


def format_of(directory: Path) -> int:
    """As it stands in the database."""
    connection = sqlite3.connect(directory / "cx.sqlite3")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(found)


async def test_everything_of_format_1_goes_on_working(directory: Path) -> None:
    """Accounts, passwords, tokens, applications, files."""
    with open_store(directory) as store:
        transport = httpx.ASGITransport(make_app(store, passwords=Passwords()))
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
            listed = found_in(await client.get(f"/1/files/list/self:%2F?access_token={TOKEN}"))
            content = await client.get(f"/1/data/self:%2Fnote?access_token={TOKEN_OF_PHOTOS}")
            page = await Browser(client).sign_in("ann", "correct horse battery", "/mycx/apps")

        users = [(user.name, bool(user.suspended)) for user in administration.list_users(store)]
        apps = [(app.client_id, app.name) for app in administration.list_apps(store)]

    assert [entry["name"] for entry in listed["entries"]] == ["note"]
    assert content.content == b"hello"
    assert "Photos" in page.text
    assert "last used on" in page.text
    assert users == [("ann", False), ("ben", True)]
    assert apps == [(CLIENT[0], "Photos")]
    assert format_of(directory) == len(schema.STEPS)


def test_a_directory_that_was_taken_on_is_like_a_new_one(directory: Path, tmp_path: Path) -> None:
    """To the last index."""
    for each in (directory, tmp_path / "new"):
        with open_store(each):
            pass

    assert tables_of(directory) == tables_of(tmp_path / "new")


def test_a_directory_is_taken_on_once(directory: Path) -> None:
    """Opening it again changes nothing."""
    with open_store(directory):
        pass
    before = tables_of(directory)

    with open_store(directory):
        pass

    assert tables_of(directory) == before


def test_a_step_that_fails_leaves_the_former_format(directory: Path) -> None:
    """Whole: the server before it can still be used."""
    before = tables_of(directory)
    connection = schema.connect(directory / "cx.sqlite3")
    fails_at_its_end = schema.STEPS[1] + "CREATE TABLE owners (x);\n"

    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        schema.prepare(connection, directory, (schema.STEPS[0], fails_at_its_end))
    connection.close()

    assert tables_of(directory) == before
    assert format_of(directory) == 1


def test_a_directory_of_a_newer_server_is_left_alone(directory: Path) -> None:
    """In one line that says which is which."""
    connection = sqlite3.connect(directory / "cx.sqlite3")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = tables_of(directory)

    with pytest.raises(ServerError, match="format 99, this one knows 7"), open_store(directory):
        pass

    assert tables_of(directory) == before


def test_the_tables_are_the_hosts_alone(tmp_path: Path) -> None:
    """Names, addresses and hashes of passwords, in a folder that was there before and that others may enter."""
    tmp_path.chmod(0o755)
    former = os.umask(0)
    try:
        with open_store(tmp_path):
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("cx.sqlite3*")}
    finally:
        os.umask(former)

    assert modes == dict.fromkeys(("cx.sqlite3", "cx.sqlite3-wal", "cx.sqlite3-shm"), 0o600)


def test_tables_that_others_could_read_are_closed_to_them(directory: Path) -> None:
    """As earlier servers made them."""
    (directory / "cx.sqlite3").chmod(0o644)

    with open_store(directory):
        pass

    assert (directory / "cx.sqlite3").stat().st_mode & 0o777 == 0o600
