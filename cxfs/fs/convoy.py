"""One attempt at many changes, in one request. What each comes to is the same as alone; when is the uploader's matter.

Whatever is plain is done for all of them at once; what is odd about one (a conflict, a refusal, a folder that is gone)
takes the way of a single attempt from there on, and holds up nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import trio

from cxfs.core.entries import Entry
from cxfs.core.errors import CxfsError, Stale
from cxfs.core.uploads import State
from cxfs.fs.bundles import NotTogether, outcomes_of
from cxfs.fs.draft_content import Abandoned
from cxfs.fs.outcomes import Arrived
from cxfs.fs.sending import Verdict, disowned
from cxfs.fs.supervisor import reason_of
from cxfs.remote.bundles import BundleUpload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxfs.fs.bundles import BundleSender
    from cxfs.fs.changes import Change
    from cxfs.fs.draft_content import DraftContent
    from cxfs.fs.journal import Journal
    from cxfs.fs.outcomes import Outcomes
    from cxfs.fs.sending import Sending

    Ended = Callable[[Change, Verdict, CxfsError | None], None]


class Parcel(NamedTuple):
    """One generation of a change: in memory, or why it is not."""

    change: Change
    content: DraftContent
    upload: BundleUpload | CxfsError


class Convoy:
    """Attempts of one mount at what goes together."""

    def __init__(self, sending: Sending, bundles: BundleSender, *, outcomes: Outcomes, journal: Journal) -> None:
        self._sending = sending
        self._bundles = bundles
        self._outcomes = outcomes
        self._journal = journal

    async def attempt(self, changes: Sequence[Change], ended: Ended) -> None:
        """Sends changes that `start`, once. `ended` hears of each what an attempt at it alone would have given."""
        parcels = [await self._packed(change) for change in changes]
        aboard = await self._handed_over(parcels)
        for parcel in parcels:
            if parcel not in aboard:
                _end(parcel, ended)
        outcomes = await outcomes_of(self._send, aboard)
        plain, odd = self._sorted(_ours(aboard, outcomes, ended))
        await self._outcomes.arrived([Arrived(each.change, entry, each.content.generation) for each, entry in plain])
        for parcel, _ in plain:
            _end(parcel, ended)
        async with trio.open_nursery() as nursery:
            for parcel, outcome in odd:
                nursery.start_soon(self._go_on, parcel, outcome, ended)

    async def _packed(self, change: Change) -> Parcel:
        content = self._sending.content_of(change)
        upload: BundleUpload | CxfsError
        try:
            upload = self._sending.upload_of(change, content, await content.whole())
        except Abandoned:
            upload = Stale("it was written meanwhile")
        except Exception as fault:  # noqa: BLE001 - it is told
            upload = NotTogether(str(reason_of(fault, "a bug while sending %s", change.path)))
        return Parcel(change, content, upload)

    async def _handed_over(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Those that hold what their files hold. The journal knows what may arrive: from here on it is sent."""
        digests = [(each.change, each.upload.sha1) for each in parcels if isinstance(each.upload, BundleUpload)]
        await self._journal.sealed_together(digests)
        current = [each for each in parcels if each.content.is_current and each.change.state is State.SENDING]
        for parcel in current:
            parcel.change.hands_over()
        return current

    async def _send(self, parcels: Sequence[Parcel]) -> Sequence[Entry | CxfsError]:
        uploads = [parcel.upload for parcel in parcels if isinstance(parcel.upload, BundleUpload)]
        answers = iter(await self._bundles.put(uploads) if uploads else [])
        return [parcel.upload if isinstance(parcel.upload, CxfsError) else next(answers) for parcel in parcels]

    def _sorted(
        self, answered: Sequence[tuple[Parcel, Entry | CxfsError]]
    ) -> tuple[list[tuple[Parcel, Entry]], list[tuple[Parcel, Entry | CxfsError]]]:
        """What has arrived and needs nothing more, and the rest."""
        plain: list[tuple[Parcel, Entry]] = []
        odd: list[tuple[Parcel, Entry | CxfsError]] = []
        for parcel, outcome in answered:
            if isinstance(outcome, Entry) and self._sending.has_its_attributes(parcel.change, outcome):
                plain.append((parcel, outcome))
            else:
                odd.append((parcel, outcome))
        return plain, odd

    async def _go_on(self, parcel: Parcel, outcome: Entry | CxfsError, ended: Ended) -> None:
        change = parcel.change
        try:
            verdict, error = await self._sending.came_back(change, parcel.content, outcome)
        except Abandoned:
            verdict, error = Verdict.SETTLED, None
        except Exception as fault:  # noqa: BLE001 - it is told
            verdict, error = Verdict.AGAIN_LATER, reason_of(fault, "a bug while sending %s", change.path)
        _end(parcel, ended, verdict, error)


def _ours(
    parcels: Sequence[Parcel], outcomes: Sequence[Entry | CxfsError], ended: Ended
) -> list[tuple[Parcel, Entry | CxfsError]]:
    """What somebody here waits for. The attempts at the others end with that."""
    ours: list[tuple[Parcel, Entry | CxfsError]] = []
    for parcel, outcome in zip(parcels, outcomes, strict=True):
        attempt = parcel.content.attempt
        attempt.answered(outcome)
        if attempt.is_disowned:
            _end(parcel, ended, *disowned(outcome))
        else:
            ours.append((parcel, outcome))
    return ours


def _end(parcel: Parcel, ended: Ended, verdict: Verdict = Verdict.SETTLED, error: CxfsError | None = None) -> None:
    """The attempt at this one is over; by default because a write, or its own success, settled it."""
    parcel.change.ends(parcel.content.attempt)
    ended(parcel.change, verdict, error)
