"""A server in a folder is carried over to PostgreSQL and a bucket, whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.server import administration
from cxfs.server.app import make_app
from cxfs.server.errors import ServerError
from cxfs.server.limits import SMALL_BYTES_MAX
from cxfs.server.migrating import BATCH_BYTES
from cxfs.server.store import open_store
from tests.server.conftest import new_person
from tests.server.person import Person
from tests.server.tables import rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from cxfs.server.store import Store
    from tests.server_process import Storage

pytestmark = pytest.mark.storage("sqlite+folder")
LARGE = b"large " * SMALL_BYTES_MAX
FILES = {f"/photos/{number}": b"%d" % number for number in range(20)} | {"/large": LARGE, "/empty": b""}


@pytest.fixture
def target(request: pytest.FixtureRequest, storage_named: Callable[[str], Storage]) -> Storage:
    """Where it goes; a bucket is where most can go wrong."""
    return storage_named(getattr(request, "param", "postgresql+bucket"))


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    """Of a server with two users, a group, files, history and a description."""
    with open_store(tmp_path / "there") as store:
        async with client_of(store) as client:
            ann, _ben = new_person(store, client, "ann"), new_person(store, client, "ben")
            administration.set_quota(store, "ann", 100 << 20)
            administration.add_group(store, "band", owner="ben")
            await ann.make("/photos")
            await ann.put("/large", b"before " * SMALL_BYTES_MAX)
            for path, content in FILES.items():
                await ann.put(path, content)
            await ann.tell("update", "/large", description="the largest")
            (tmp_path / "token").write_text(f"{ann.id} {ann.token}")
    return tmp_path / "there"


def client_of(store: Store) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """Of a server over that store, in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(make_app(store)), base_url="http://cx.test")


def unheard(_count: int, _size: int) -> None:
    """Nobody looks on."""


def carry_over(
    directory: Path,
    target: Storage,
    progress: Callable[[int, int], None] = unheard,
    comparing: Callable[[int, int], None] = unheard,
) -> None:
    """The command; `progress` hears how far the contents have come, `comparing` how many were read back."""
    database = target["database"]
    assert database is not None
    heard = {"carrying over": progress, "comparing": comparing}
    administration.migrate(directory, database, target["content"], begins=lambda stage, _bytes: heard[stage])


async def told(directory: Path, storage: Storage) -> tuple[dict[str, bytes], object, object]:
    """What Ann, by the token that she has had, is told by a server: files, the history of one, her account."""
    uuid, token = (directory.parent / "token").read_text().split()
    with open_store(directory, **storage) as store:
        async with client_of(store) as client:
            ann = Person(client, uuid, token)
            files = {path: (await ann.download(path)).content for path in FILES}
            history = (await ann.ask("GET", f"/1/files/versions/{ann.path('/large')}")).json()
            return files, history, (await ann.ask("GET", "/1/users/self")).json()


@pytest.mark.parametrize("target", ["postgresql+folder", "postgresql+bucket"], indirect=True)
async def test_everything_is_there_afterwards(directory: Path, target: Storage) -> None:
    """To the byte, and under the tokens, UUIDs, versions and times that it had."""
    before = await told(directory, {})

    carry_over(directory, target)

    assert before[0] == FILES
    assert await told(directory, target) == before


async def test_the_server_goes_on_counting(directory: Path, target: Storage) -> None:
    """What is new after it gets numbers of its own."""
    carry_over(directory, target)

    with open_store(directory, **target) as store:
        administration.add_user(store, "new")
        async with client_of(store) as client:
            new = Person(client, "", administration.issue_token(store, "new"))
            await new.put("/note", b"n" * 100_000)
            assert (await new.download("/note")).content == b"n" * 100_000


async def test_broken_off_it_goes_on_where_it_was(directory: Path, target: Storage) -> None:
    """What was carried over is not carried twice, and until it is over the folder is the server."""
    assert len(FILES) < BATCH_BYTES
    carried: list[int] = []

    def stop(count: int, _size: int) -> None:
        carried.append(count)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_over(directory, target, stop)
    meanwhile = await told(directory, {})

    again: list[int] = []
    carry_over(directory, target, lambda count, _size: again.append(count))

    assert (len(carried), again) == (1, [])
    assert await told(directory, target) == meanwhile


async def test_whoever_looks_on_sees_how_much_there_is_and_how_far_it_is(directory: Path, target: Storage) -> None:
    """Reading everything back takes as long as carrying it over, and is told of as well."""
    heard: dict[tuple[str, int], list[tuple[int, int]]] = {}
    database = target["database"]
    assert database is not None

    def begins(stage: str, size: int) -> Callable[[int, int], None]:
        counts = heard[stage, size] = []
        return lambda count, so_far: counts.append((count, so_far))

    administration.migrate(directory, database, target["content"], begins=begins)

    assert [stage for stage, _ in heard] == ["carrying over", "comparing"]
    assert all(counts[-1] == (len(counts), size) for (_, size), counts in heard.items())
    assert len({*map(len, heard.values())}) == 1


async def test_a_bucket_that_is_not_there_is_told_of(directory: Path, target: Storage) -> None:
    """It is not that a content has gone; and nothing is served from the database."""
    absent: Storage = {"database": target["database"], "content": "s3://absent/prefix"}

    with pytest.raises(ServerError, match="stopped; run it again to go on: the place of contents does not answer"):
        carry_over(directory, absent)

    assert not (directory / "moved").exists()


async def test_what_changed_between_two_runs_comes_over_as_it_is(directory: Path, target: Storage) -> None:
    """The folder was the server meanwhile: something went, and its number was given to something else."""

    def stop(_count: int, _size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_over(directory, target, stop)
    uuid, token = (directory.parent / "token").read_text().split()
    with open_store(directory) as store:
        async with client_of(store) as client:
            ann = Person(client, uuid, token)
            await ann.tell("delete", "/empty")
            store.sweep()
            await ann.put("/empty", b"not any more")

    carry_over(directory, target)

    with open_store(directory, **target) as store:
        async with client_of(store) as client:
            assert (await Person(client, uuid, token).download("/empty")).content == b"not any more"


async def test_the_folder_is_no_server_any_more(directory: Path, target: Storage) -> None:
    """Two servers of the same accounts would go apart; the message says how it is served now."""
    carry_over(directory, target)

    with pytest.raises(ServerError, match="--database postgresql://"), open_store(directory):
        pass


async def test_a_damaged_content_is_told_of(directory: Path, target: Storage) -> None:
    """And nothing is served from the database."""
    (large,) = [path for path in (directory / "content").rglob("*") if path.is_file() and b"large" in path.read_bytes()]
    large.write_bytes(large.read_bytes().replace(b"large", b"l@rge", 1))

    with pytest.raises(ServerError, match=r"damaged|did not come over"):
        carry_over(directory, target)

    assert not (directory / "moved").exists()


async def test_another_servers_database_is_left_alone(directory: Path, target: Storage, tmp_path: Path) -> None:
    """It may have been the wrong name."""
    with open_store(tmp_path / "other", **target) as store:
        administration.add_user(store, "somebody")
        before = rows(store, "SELECT * FROM owners")

    with pytest.raises(ServerError, match="another server"):
        carry_over(directory, target)

    with open_store(tmp_path / "other", **target) as store:
        assert rows(store, "SELECT * FROM owners") == before
