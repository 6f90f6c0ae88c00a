"""Guessing at passwords: how it slows down, for whom, and for whom it does not."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.server import attempts
from cxfs.server.calls import InThreads
from cxfs.server.errors import RateLimited
from cxfs.server.limits import (
    ATTEMPT_PAUSE_S_MAX,
    ATTEMPT_ROWS_MAX,
    ATTEMPTS_FORGOTTEN_S,
    ATTEMPTS_FREE,
    PASSWORDS_IN_HAND_MAX,
    PASSWORDS_OF_A_PLACE_MAX,
    THREADS_FOR_PASSWORDS,
)
from tests.server.conftest import PASSWORD, give_password, new_browser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cxfs.server.store import Store
    from tests.server.browser import Browser, Page
    from tests.server.conftest import Clock
    from tests.server.person import Person


WITHOUT_THE_LIMIT_S = 20
"""It would wait for what waits for it."""


@pytest.fixture
async def guesser(store: Store, browser: Browser, ann: Person) -> Browser:
    """Somebody who has not signed in, while Ann has a password."""
    give_password(store, "ann")
    return browser


async def guess(browser: Browser, times: int) -> Page:
    """Wrongly, at Ann's password; the last answer."""
    for _ in range(times - 1):
        await browser.sign_in("ann", "wrong")
    return await browser.sign_in("ann", "wrong")


@pytest.mark.parametrize(
    ("failures", "pause_s"), [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (10, 32), (11, 60), (12, 60), (10_000, 60)]
)
def test_the_pause_doubles_up_to_a_minute(failures: int, pause_s: int) -> None:
    """Five tries are free."""
    assert attempts.pause_ms(failures) == pause_s * 1_000


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2345:1::9", "2001:db8:1:2300::/56"),
        ("127.0.0.1", "127.0.0.0/24"),
        ("::1", "::/56"),
        ("", ""),
        ("fe80::1%eth0", "fe80::/56"),
    ],
)
def test_a_place_is_what_one_household_has(address: str, place: str) -> None:
    """Another address of the same is no fresh start."""
    assert attempts.place_of(address) == place


async def test_after_five_wrong_passwords_one_has_to_wait(guesser: Browser) -> None:
    """429, a page that says for how long, and a header for programs."""
    fifth = await guess(guesser, ATTEMPTS_FREE)
    sixth = await guess(guesser, 1)

    assert fifth.status == 403
    assert sixth.status == 429
    assert sixth.ids["error"] == "Too many attempts. Try again in a second."
    assert sixth.response.headers["retry-after"] == "1"
    assert sixth.form_with("submit").fields["name"] == "ann"


async def test_during_the_pause_the_right_password_is_not_looked_at(guesser: Browser, clock: Clock) -> None:
    """Or guessing would go on at full speed."""
    await guess(guesser, ATTEMPTS_FREE)

    early = await guesser.sign_in("ann", PASSWORD)
    clock.now_ms += 1_000
    after = await guesser.sign_in("ann", PASSWORD)

    assert (early.status, after.status) == (429, 200)


async def test_trying_during_the_pause_makes_it_no_longer(guesser: Browser, clock: Clock) -> None:
    """Otherwise impatience would shut one out for long."""
    await guess(guesser, ATTEMPTS_FREE + 20)
    clock.now_ms += 1_000

    assert (await guesser.sign_in("ann", PASSWORD)).status == 200


async def test_nobody_is_shut_out_for_longer_than_a_minute(guesser: Browser, clock: Clock) -> None:
    """However often somebody else guessed, even from the same place."""
    for _ in range(30):
        await guess(guesser, 1)
        clock.now_ms += ATTEMPT_PAUSE_S_MAX * 1_000

    assert (await guesser.sign_in("ann", PASSWORD)).status == 200


async def test_guessing_from_one_place_shuts_nobody_out_at_another(store: Store, guesser: Browser) -> None:
    """The pause is for the guesser and his neighbours."""
    blocked = await guess(guesser, ATTEMPTS_FREE + 1)

    async with new_browser(store, at="192.0.2.200") as neighbour, new_browser(store, at="198.51.100.1") as elsewhere:
        assert (await neighbour.sign_in("ann", PASSWORD)).status == 429
        assert (await elsewhere.sign_in("ann", PASSWORD)).status == 200
    assert blocked.status == 429


async def test_an_address_that_a_request_claims_to_come_from_is_not_believed(store: Store, guesser: Browser) -> None:
    """Anyone can write `X-Forwarded-For`, a new one for each guess."""
    async with new_browser(store) as browser:
        statuses = []
        for number in range(ATTEMPTS_FREE + 1):
            claimed = f"203.0.{number}.9"
            browser.client.headers.update({"X-Forwarded-For": claimed, "Forwarded": f"for={claimed}"})
            browser.client.headers["X-Real-IP"] = claimed
            statuses.append((await guess(browser, 1)).status)

    assert statuses == [403] * ATTEMPTS_FREE + [429]


async def test_an_account_that_does_not_exist_has_pauses_too(browser: Browser) -> None:
    """Or the pause would tell that the others exist."""
    pages = [await browser.sign_in("nobody", "wrong") for _ in range(ATTEMPTS_FREE + 1)]

    assert [page.status for page in pages] == [403] * ATTEMPTS_FREE + [429]


async def test_the_right_password_clears_the_count(guesser: Browser) -> None:
    """It was its owner who had mistyped it."""
    await guess(guesser, ATTEMPTS_FREE - 1)
    home = await guesser.sign_in("ann", PASSWORD)
    await guesser.press(home, "sign-out")

    assert (await guess(guesser, ATTEMPTS_FREE)).status == 403


async def test_after_a_quiet_quarter_of_an_hour_all_is_forgotten(guesser: Browser, clock: Clock) -> None:
    """Five free tries again."""
    await guess(guesser, ATTEMPTS_FREE)
    clock.now_ms += ATTEMPTS_FORGOTTEN_S * 1_000

    assert (await guess(guesser, ATTEMPTS_FREE)).status == 403


async def test_guesses_at_the_same_moment_count_one_by_one(store: Store, guesser: Browser) -> None:
    """Each is counted before its password is looked at, so that a crowd does not slip through."""
    statuses: list[int] = []

    async def guess_once() -> None:
        async with new_browser(store) as browser:
            statuses.append((await guess(browser, 1)).status)

    async with trio.open_nursery() as nursery:
        for _ in range(3 * ATTEMPTS_FREE):
            nursery.start_soon(guess_once)

    assert statuses.count(403) == ATTEMPTS_FREE
    assert statuses.count(429) == 2 * ATTEMPTS_FREE


def test_what_is_remembered_has_a_bound(store: Store) -> None:
    """Beyond it those with the fewest failures go: a flood of names clears nobody's own count."""
    with store.transaction() as connection:
        for _ in range(3):
            attempts.begin(connection, "ann", "192.0.2.1", 1)
        connection.executemany(
            "INSERT INTO attempts VALUES (?, 1, ?)", [(str(number).encode(), number) for number in range(20_000)]
        )
        attempts.begin(connection, "ben", "192.0.2.1", 1)

        assert connection.execute("SELECT count(*) FROM attempts").fetchone() == (ATTEMPT_ROWS_MAX,)
        assert connection.execute("SELECT max(failures) FROM attempts").fetchone() == (3,)
        assert [attempts.begin(connection, name, "192.0.2.1", 1) for name in ("ann", "ben")] == [0, 0]
        assert sorted(connection.execute("SELECT failures FROM attempts WHERE failures > 1")) == [(2,), (4,)]


@pytest.mark.storage("sqlite+folder", "sqlite+bucket")  # it reads the file of the tables
def test_what_was_typed_as_a_name_is_not_kept(store: Store) -> None:
    """People type their password there."""
    with store.transaction() as connection:
        attempts.begin(connection, "correct horse battery", "192.0.2.1", 1)
    store.close()

    kept = b"".join(path.read_bytes() for path in store.directory.glob("cx.sqlite3*"))
    assert b"correct horse" not in kept


class Crowd:
    """Passwords that take until they are released."""

    def __init__(self) -> None:
        self.offload = InThreads()
        self.comparing = 0
        self._busy, self._release = trio.Event(), trio.Event()
        self._trio = trio.lowlevel.current_trio_token()

    def _compare(self) -> None:
        self.comparing += 1
        if self.comparing == THREADS_FOR_PASSWORDS:
            trio.from_thread.run_sync(self._busy.set, trio_token=self._trio)
        trio.from_thread.run(self._release.wait, trio_token=self._trio)

    @asynccontextmanager
    async def waiting(self, places: list[str]) -> AsyncIterator[None]:
        """One from each of these places, in hand until the block is left."""
        async with trio.open_nursery() as nursery:
            for place in places:
                nursery.start_soon(self.offload.password, place, self._compare)
            await self._busy.wait()
            await trio.testing.wait_all_tasks_blocked()
            try:
                yield
            finally:
                self.release()

    def release(self) -> None:
        """All of them are done."""
        self._release.set()

    async def one_more(self, place: str) -> None:
        """Is refused at once, or waits for the others."""
        with trio.fail_after(WITHOUT_THE_LIMIT_S):
            await self.offload.password(place, lambda: None)


async def test_so_many_passwords_are_compared_at_once_and_so_many_wait() -> None:
    """Each takes memory and cores, whoever asks; whoever comes beyond that is told to come back."""
    crowd = Crowd()

    async with crowd.waiting([str(number) for number in range(PASSWORDS_IN_HAND_MAX)]):
        with pytest.raises(RateLimited) as refused:
            await crowd.one_more("elsewhere")
        at_once = crowd.comparing
    await crowd.one_more("elsewhere")

    assert at_once == THREADS_FOR_PASSWORDS
    assert refused.value.headers == {"Retry-After": "1"}


async def test_a_flood_from_one_place_leaves_room_for_the_others() -> None:
    """It fills its own part of the queue, and no more."""
    crowd = Crowd()

    async with crowd.waiting(["here"] * PASSWORDS_OF_A_PLACE_MAX), trio.open_nursery() as nursery:
        with pytest.raises(RateLimited):
            await crowd.one_more("here")
        nursery.start_soon(crowd.one_more, "elsewhere")
        await trio.testing.wait_all_tasks_blocked()  # in the queue, and not refused
        crowd.release()
