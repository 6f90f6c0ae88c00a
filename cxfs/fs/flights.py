"""The same question asked by many at once is asked of the server once. Keeps no answers.

A flight runs in a nursery of its own, so that a caller who gives up (its deadline passed, its program was killed) does
not take the answer away from the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

if TYPE_CHECKING:
    from cxfs.fs.supervisor import Nursery

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Flight(Generic[T]):
    """A question under way."""

    def __init__(self) -> None:
        self.landed = trio.Event()
        self.answer: T | None = None
        self.error: Exception | None = None

    async def answered(self) -> T:
        """The answer, when it is there; raises what made it fail."""
        await self.landed.wait()
        if self.error is not None:
            raise self.error
        return self.answer  # type: ignore[return-value]  # landed without an error: it was set, perhaps to None


class Flights(Generic[K, T]):
    """Questions under way, by key. The nursery outlives every caller."""

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._flights: dict[K, Flight[T]] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._flights

    async def join(self, key: K, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of `ask`, or of the one already under way for this key; raises what it raised."""
        return await self.begin(key, ask).answered()

    def begin(self, key: K, ask: Callable[[], Awaitable[T]]) -> Flight[T]:
        """The flight under way for this key, which is `ask` where there was none. Nobody need wait for it."""
        flight = self._flights.get(key)
        if flight is None:  # no await between the look and the leap: no lock
            flight = self._flights[key] = Flight()
            self._nursery.start_soon(self._fly, key, flight, ask)
        return flight

    async def _fly(self, key: K, flight: Flight[T], ask: Callable[[], Awaitable[T]]) -> None:
        try:
            flight.answer = await ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to those who asked
            flight.error = error
        finally:
            del self._flights[key]
            flight.landed.set()
