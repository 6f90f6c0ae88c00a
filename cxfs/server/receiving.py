"""Room for the bytes that one request brings; what is not kept of them goes when the request is over."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from anyio import CancelScope

if TYPE_CHECKING:
    from types import TracebackType

    from cxfs.server.arrivals import Arrival
    from cxfs.server.calls import Offload
    from cxfs.server.contents import Contents


class Receiving:
    """For the length of a block. To take something back from a bucket may take its time: it is done in a thread."""

    def __init__(self, contents: Contents, offload: Offload) -> None:
        self._contents = contents
        self._offload = offload
        self._arrivals: list[Arrival] = []

    def arrival(self) -> Arrival:
        """Room for one content."""
        self._arrivals.append(self._contents.arrival())
        return self._arrivals[-1]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._contents.is_far and any(arrival.is_left_over for arrival in self._arrivals):
            with CancelScope(shield=True):
                await self._offload.far(self._leave)
        else:
            self._leave()

    def _leave(self) -> None:
        with ExitStack() as stack:
            for arrival in self._arrivals:
                stack.enter_context(arrival)
