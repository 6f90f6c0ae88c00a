"""How long nothing may happen before an exchange is given up and made anew. Pure arithmetic, in seconds and bytes.

A connection can die without a word: its other end lost power, or a router forgot it. Waiting tells nothing then, and a
new one is cheap. So each wait is short at first and grows, since the server may just be slow.
"""

from __future__ import annotations

from typing import Final

STALL_S: Final = 10.0
"""A transfer of which nothing moves for so long is made anew, from where it stood."""

ANSWER_S: Final = 2.0
"""For an answer to a small call to begin, connecting included, or to go on: on a line by satellite it takes one."""

RECEIPT_S: Final = 4.0
"""For the answer to an upload once all of it is out: the server has still to write it down."""

RECALL_S: Final = 2.0
"""The same while a program waits that renames the file: after that it is renamed without the answer."""

LATE_S: Final = 10.0
"""By so much a server may carry out an upload later than it was given up."""

RECEIPT_BYTES_PER_S: Final = 2 << 20
"""At which any server writes an upload down and takes its checksums: of a large one the answer is waited for longer."""

GROWTH: Final = 1.5
"""Of the patience, with each attempt at a call of which nothing was heard."""

MEMORY: Final = 0.75
"""How much of the patience that a slow call needed is left after one that was fast."""

SENT_AGAIN_BYTES_PER_S: Final = 1 << 20
"""What was sent of an upload is lost with it: nobody is less patient than sending it again would take at this rate."""


def for_download(stalls: int, *, most_s: float) -> float:
    """For the next byte of content, after so many attempts in a row that brought nothing."""
    return min(most_s, STALL_S * 2.0 ** min(stalls, 16))


def for_upload(sent_bytes: int, length: int, *, receipt_s: float, most_s: float) -> float:
    """For the next of `length` bytes to go out or, once all have, for the answer, of which `receipt_s` are due."""
    if sent_bytes < length:
        return min(most_s, max(STALL_S, sent_bytes / SENT_AGAIN_BYTES_PER_S))
    return min(most_s, max(receipt_s, sent_bytes / RECEIPT_BYTES_PER_S))


class AnswerPatience:
    """What one kind of call needs, as far as it is known: `least_s` at first and never less.

    `deadline_s` ends the call, with all attempts at it.
    """

    def __init__(self, deadline_s: float, *, least_s: float = ANSWER_S) -> None:
        self._deadline_s = deadline_s
        self._least_s = self._first_s = least_s

    def attempt_s(self, unheard: int, *, left_s: float) -> float:
        """For the attempt after so many of which nothing was heard. The last one has all the time that is left.

        Those that were refused, or broke, do not count: after them a line is no slower than before.
        """
        patience_s = self._first_s * GROWTH ** min(unheard, 16)
        return patience_s if patience_s * (1 + GROWTH) <= left_s else left_s

    def answered(self, waited_s: float) -> None:
        """An answer began to come after so long."""
        self._first_s = min(self._deadline_s, max(self._least_s, 2 * waited_s, MEMORY * self._first_s))

    def ended_without(self) -> None:
        """None came before the deadline, in however many attempts: the next call makes fewer of them."""
        self._first_s = min(self._deadline_s, 2 * self._first_s)
