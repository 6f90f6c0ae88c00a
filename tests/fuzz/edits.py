"""Honest input, spoilt here and there: parsers fail near what they expect, not far from it. Knows no parser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import SearchStrategy

EDITS_MAX: Final = 5

COMMON: Final = (
    b"", b"0", b"1", b"-1", b"9" * 25, b"9" * 4_500, b"1e999", b"-1e999", b"NaN", b"Infinity", b"1.5", b"+1",
    b"1_0", b"0x1", "٣".encode(), "²".encode(), b"true", b"null", b'""', b"''", b"[]", b"{}", b"[[", b"[" * 3_000,
    b'{"a":' * 1_500, b"\\", b'"', b"'", b"`", b"%", b"%00", b"%2F", b"%zz", b"%FF", b"&", b"=", b";", b",", b":",
    b"/", b"//", b"..", b"../" * 4, b"~", b"~nobody-of-this-name/", b"$HOME", b"*", b"?", b"#", b"@", b"-", b"--",
    b" ", b"\t", b"\n", b"\r", b"\r\n", b"\r\n\r\n", b"\x0b", b"\x0c", b"\x1b[31m", b"\x1c", b"\x7f", b"\0",
    b"\xff", b"\xc3", b"\xc2\x85", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\xf0\x9f\x98\x80",
    b"x" * 300, b"A" * 3_000,
)  # fmt: skip
"""What has broken parsers elsewhere: numbers at their ends, nests, quotes, ends of lines, and text that is none."""

_WORD: Final = re.compile(rb"[\w.+-]+")

Edit = tuple[str, int, int, bytes]


def spoilt(examples: Sequence[bytes], words: Sequence[bytes] = ()) -> SearchStrategy[bytes]:
    """The examples, with some edits; and sometimes bytes that come from nowhere. `words` are of the format itself."""
    known = [*words, *words, *COMMON]
    # By number: hypothesis prints its strategies, and these are long.
    pieces = st.integers(0, len(known) - 1).map(lambda number: known[number]) | st.binary(max_size=4)
    edit = st.tuples(
        st.sampled_from(["insert", "replace", "delete", "double", "cut", "swap", "word", "word"]),
        st.integers(0, max(map(len, examples))),
        st.integers(0, 12),
        pieces,
    )
    example = st.integers(0, len(examples) - 1).map(lambda number: examples[number])
    edited = st.builds(_edited, example, st.lists(edit, min_size=1, max_size=EDITS_MAX))
    return edited | edited | edited | st.lists(pieces, max_size=8).map(b"".join)


def _edited(example: bytes, edits: list[Edit]) -> bytes:
    for kind, at, length, piece in edits:
        head, middle, tail = example[:at], example[at : at + length], example[at + length :]
        match kind:
            case "insert":
                example = head + piece + middle + tail
            case "replace":
                example = head + piece + tail
            case "delete":
                example = head + tail
            case "word":
                if found := _WORD.search(example, at):
                    example = example[: found.start()] + piece + example[found.end() :]
            case "double":
                example = head + middle + middle + tail
            case "cut":
                example = head
            case "swap":
                example = tail + middle + head
    return example
