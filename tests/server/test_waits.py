"""Questions for changes that wait. Contract: docs/protocol.md, "Changes"."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from cxfs.server import administration
from cxfs.server.app import make_app
from cxfs.server.calls import InPlace
from cxfs.server.commits import SqliteCommits
from cxfs.server.limits import WAITS_OF_AN_ACCOUNT_MAX
from cxfs.server.sqlite import SqliteDatabase
from cxfs.server.store import Store, make_store
from tests.server.conftest import new_person
from tests.server.person import Person, refusal_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette
    from starlette.types import Message
    from trio.testing import MockClock

pytestmark = pytest.mark.storage("sqlite+folder")  # a fake clock runs away while threads ask a database

PATIENCE = "50"


class CountedCommits(SqliteCommits):
    """How many listen at once, at most."""

    def __init__(self, store: Store) -> None:
        assert isinstance(store.database, SqliteDatabase)
        super().__init__(store.database._reader)
        self.listening = 0
        self.listening_most = 0

    async def next(self) -> None:
        """One more, for as long as it takes."""
        self.listening += 1
        self.listening_most = max(self.listening, self.listening_most)
        try:
            await super().next()
        finally:
            self.listening -= 1


@pytest.fixture
def commits(store: Store) -> CountedCommits:
    """As the application hears of them."""
    return CountedCommits(store)


@pytest.fixture
def app(store: Store, commits: CountedCommits) -> Starlette:
    """Without threads: the clock of these tests jumps when everybody waits."""
    return make_app(store, offload=InPlace(), commits=commits)


@pytest.fixture
async def visitor(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Someone who reaches it."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cx.test", timeout=None) as client:
        yield client


class Question:
    """One that waits, in a task of the nursery: its answer, and the time that it took."""

    def __init__(self, nursery: trio.Nursery, person: Person, cursor: str, timeout: str = PATIENCE) -> None:
        self.answer: httpx.Response | None = None
        self.waited_s = -1.0
        self._scope = trio.CancelScope()
        nursery.start_soon(self._ask, person, cursor, timeout)

    async def _ask(self, person: Person, cursor: str, patience: str) -> None:
        begun = trio.current_time()
        with self._scope:
            self.answer = await person.follow(cursor, timeout=patience)
            self.waited_s = trio.current_time() - begun

    def give_up(self) -> None:
        self._scope.cancel()

    @property
    def paths(self) -> list[str]:
        """Of what was told."""
        assert self.answer is not None
        return [change["path"].split(":")[1] for change in self.answer.json()["changes"]]


async def cursor_of(person: Person) -> str:
    """Where the log ends."""
    return str((await person.news())["cursor"])


async def test_a_question_waits_until_there_is_something(ann: Person, autojump_clock: MockClock) -> None:
    """And then it is answered at once."""
    async with trio.open_nursery() as nursery:
        question = Question(nursery, ann, await cursor_of(ann))
        await trio.sleep(20)
        await ann.make("/new")

    assert question.paths == ["/new", "/"]
    assert question.waited_s == pytest.approx(20, abs=0.2)


async def test_there_may_be_nothing_for_as_long_as_was_asked(ann: Person, autojump_clock: MockClock) -> None:
    """Never longer than a proxy's patience, whatever was asked."""
    cursor = await cursor_of(ann)
    async with trio.open_nursery() as nursery:
        patient = Question(nursery, ann, cursor)
        too_patient = Question(nursery, ann, cursor, "3600")

    assert patient.answer is not None
    assert patient.answer.json() == {"cursor": cursor, "changes": [], "reset": False, "groups": 0}
    assert patient.waited_s == pytest.approx(50, abs=0.2)
    assert too_patient.waited_s == pytest.approx(60, abs=0.2)


async def test_without_a_cursor_or_with_news_nobody_waits(ann: Person, autojump_clock: MockClock) -> None:
    """A follower catches up as fast as it can."""
    cursor = await cursor_of(ann)
    await ann.make("/new")
    begun = trio.current_time()

    await ann.news(timeout=PATIENCE)
    await ann.news(cursor, timeout=PATIENCE)
    await ann.news("unknown", timeout=PATIENCE)

    assert trio.current_time() == begun


async def test_others_changes_wake_nobody(store: Store, ann: Person, ben: Person, autojump_clock: MockClock) -> None:
    """Ann's question goes on waiting while Ben is busy."""
    async with trio.open_nursery() as nursery:
        question = Question(nursery, ann, await cursor_of(ann))
        for name in "abcdef":
            await trio.sleep(5)
            await ben.make(f"/{name}")

    assert question.paths == []
    assert question.waited_s == pytest.approx(50, abs=0.2)


async def test_what_another_process_commits_is_heard_of(store: Store, ann: Person, autojump_clock: MockClock) -> None:
    """A second server, an import: anything that opens the directory."""
    other = make_store(store.directory, clock=store.clock)
    there = make_app(other, offload=InPlace())
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(there), base_url="http://cx.test") as client,
        trio.open_nursery() as nursery,
    ):
        question = Question(nursery, ann, await cursor_of(ann))
        await trio.sleep(20)
        await Person(client, ann.id, ann.token).make("/theirs")
    other.close()

    assert question.paths == ["/theirs", "/"]
    assert question.waited_s == pytest.approx(20, abs=0.2)


async def test_one_listens_for_all(
    ann: Person, ben: Person, commits: CountedCommits, autojump_clock: MockClock
) -> None:
    """However many wait: a look at the database for each of them would be most of a server's work."""
    mine, theirs = await cursor_of(ann), await cursor_of(ben)
    async with trio.open_nursery() as nursery:
        questions = [Question(nursery, ann, mine) for _ in range(40)]
        Question(nursery, ben, theirs)
        await trio.sleep(20)
        await ann.make("/new")

    assert {tuple(question.paths) for question in questions} == {("/new", "/")}
    assert commits.listening_most == 1


async def test_when_the_one_who_listens_goes_another_does(
    ann: Person, commits: CountedCommits, autojump_clock: MockClock
) -> None:
    """Whoever that was."""
    cursor = await cursor_of(ann)
    async with trio.open_nursery() as nursery:
        questions = [Question(nursery, ann, cursor) for _ in range(10)]
        await trio.sleep(5)
        for question in questions[:9]:
            question.give_up()
            await trio.sleep(1)
        assert commits.listening == 1
        await ann.make("/new")

    assert questions[9].paths == ["/new", "/"]


async def test_nobody_listens_when_nobody_waits(
    ann: Person, commits: CountedCommits, autojump_clock: MockClock
) -> None:
    """An idle server is idle."""
    async with trio.open_nursery() as nursery:
        Question(nursery, ann, await cursor_of(ann), "5")

    assert (commits.listening, commits.listening_most) == (0, 1)


async def test_a_revoked_token_ends_the_wait(store: Store, ann: Person, autojump_clock: MockClock) -> None:
    """Within seconds, not with the next change."""
    async with trio.open_nursery() as nursery:
        question = Question(nursery, ann, await cursor_of(ann))
        await trio.sleep(10)
        administration.revoke_tokens(store, "ann")

    assert question.answer is not None
    assert refusal_of(question.answer) == (401, "BadAuthToken")
    assert question.waited_s == pytest.approx(12, abs=0.5)


async def test_a_membership_that_is_taken_away_ends_the_wait(
    store: Store, ann: Person, ben: Person, autojump_clock: MockClock
) -> None:
    """And what happens in the group's tree then is not told."""
    team = administration.add_group(store, "band", owner="ann", quota_bytes=1_000)
    administration.set_member(store, "band", "ben", "reader")
    cursor = await cursor_of(ben.as_seen_in(team))
    async with trio.open_nursery() as nursery:
        question = Question(nursery, ben.as_seen_in(team), cursor)
        await trio.sleep(10)
        administration.remove_member(store, "band", "ben")
        await ann.as_seen_in(team).make("/secret")

    assert question.answer is not None
    assert refusal_of(question.answer) == (404, "NotFound")


async def test_a_wait_holds_no_snapshot(store: Store, ann: Person, autojump_clock: MockClock) -> None:
    """An open one would keep the write-ahead log growing for as long as somebody waits."""
    async with trio.open_nursery() as nursery:
        question = Question(nursery, ann, await cursor_of(ann))
        await trio.sleep(5)
        assert isinstance(store.database, SqliteDatabase)
        assert not store.database._reader.in_transaction
        assert question.waited_s == -1
        question.give_up()


async def test_one_account_cannot_take_all_the_room(
    store: Store, ann: Person, visitor: httpx.AsyncClient, autojump_clock: MockClock
) -> None:
    """Beyond its share it is told when to come again; others are served."""
    ben = new_person(store, visitor, "ben")
    cursor = await cursor_of(ann)
    async with trio.open_nursery() as nursery:
        questions = [Question(nursery, ann, cursor) for _ in range(WAITS_OF_AN_ACCOUNT_MAX)]
        await trio.sleep(5)
        refused = await ann.follow(cursor, timeout=PATIENCE)
        other = Question(nursery, ben, await cursor_of(ben), "1")
        await trio.sleep(5)
        for question in questions:
            question.give_up()
        await trio.sleep(1)
        again = await ann.follow(cursor, timeout="1")

    assert refusal_of(refused) == (429, "RateLimited")
    assert int(refused.headers["retry-after"]) > 0
    assert other.answer is not None
    assert (other.answer.status_code, again.status_code) == (200, 200)


async def test_who_hangs_up_waits_no_longer(ann: Person, app: Starlette, autojump_clock: MockClock) -> None:
    """A laptop that went to sleep, or a client that was ended."""
    sent: list[Message] = []
    hung_up = trio.Event()
    query = f"access_token={ann.token}&cursor={await cursor_of(ann)}&timeout={PATIENCE}"
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/1/files/changes/self",
        "raw_path": b"/1/files/changes/self",
        "query_string": query.encode(),
        "headers": [],
    }
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(app, scope, receive, send))
        await trio.sleep(5)
        hung_up.set()

    assert trio.current_time() - begun == pytest.approx(5, abs=0.2)


async def test_a_server_that_stops_keeps_nobody_waiting(ann: Person, app: Starlette, autojump_clock: MockClock) -> None:
    """It answers as if time were up, those who come now as well: they ask again, and find the next server."""
    cursor = await cursor_of(ann)
    async with trio.open_nursery() as nursery:
        questions = [Question(nursery, ann, cursor) for _ in range(3)]
        await trio.sleep(5)
        app.state.waits.close()
        late = Question(nursery, ann, cursor)

    assert [question.waited_s for question in questions] == [pytest.approx(5, abs=0.2)] * 3
    assert late.waited_s == 0
    assert questions[0].paths == late.paths == []
