"""The same question asked by many at once is asked of the server once. Keeps no answers.

A flight runs in a nursery of its own, so that a caller who gives up (its deadline passed, its program was killed) does
not take the answer away from the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import trio

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _Flight(Generic[T]):
    def __init__(self) -> None:
        self.landed = trio.Event()
        self.answer: T | None = None
        self.error: Exception | None = None


class Flights(Generic[K, T]):
    """Questions under way, by key. The nursery outlives every caller."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._flights: dict[K, _Flight[T]] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._flights

    async def join(self, key: K, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of `ask`, or of the one already under way for this key; raises what it raised."""
        flight = self._flights.get(key)
        if flight is None:  # no await between the look and the leap: no lock
            flight = self._flights[key] = _Flight()
            self._nursery.start_soon(self._fly, key, flight, ask)
        await flight.landed.wait()
        if flight.error is not None:
            raise flight.error
        return flight.answer  # type: ignore[return-value]  # landed without an error: it was set, perhaps to None

    async def _fly(self, key: K, flight: _Flight[T], ask: Callable[[], Awaitable[T]]) -> None:
        try:
            flight.answer = await ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to those who asked
            flight.error = error
        finally:
            del self._flights[key]
            flight.landed.set()
