"""The tables of parsers are whole: who reads foreign bytes stands in one, or is said to be thrown at elsewhere."""

from __future__ import annotations

import ast
import importlib
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import cxfs
from tests.fuzz.test_parsers import PARSERS

if TYPE_CHECKING:
    from tests.fuzz.parser import Parser

ROOT: Final = Path(cxfs.__file__).parent

DECODERS: Final = frozenset(
    {
        "Decoder", "Parser", "PushMultipartParser", "a2b_base64", "b64decode", "fromhex", "fromisoformat",
        "iter_unpack", "literal_eval", "loads", "parse_headers", "parse_options_header", "parse_qs", "parse_qsl",
        "parsedate_to_datetime", "unpack", "unpack_from", "unquote", "unquote_to_bytes", "urlparse", "urlsplit",
    }
)  # fmt: skip
"""Whoever calls one of these makes something of bytes or text that may be wrong."""

ELSEWHERE: Final = {
    "cxfs.remote.bundles": "tests/remote/test_generated_answers.py",
    "cxfs.remote.failures": "tests/remote/test_generated_answers.py",
    "cxfs.remote.oauth": "tests/remote/test_generated_answers.py",
    "cxfs.remote.replies": "tests/remote/test_generated_answers.py",
    "cxfs.remote.user": "tests/remote/test_generated_answers.py",
    "cxfs.local.reading": "tests/local/test_reading.py",
}
"""Read by tests of their own."""

OWN_WORDS: Final = {
    "cxfs.cli.background": "what a process says to the one that it was forked from",
    "cxfs.control.place": "the kernel's word for who has connected",
    "cxfs.remote.pipe_lane": "a URL that `urls` has checked",
    "cxfs.server.applications": "what the server wrote into its own tables",
    "cxfs.server.folder": "names that the server gave to its own files",
}
"""Not foreign: with the reason."""


def callers_of_decoders() -> set[str]:
    """Every module that reads something."""
    return {_name_of(file) for file in ROOT.rglob("*.py") if DECODERS & _called_in(file)}


def _name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def _called_in(file: Path) -> set[str]:
    calls = (node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
    return {func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in calls}


def test_whoever_reads_foreign_bytes_is_thrown_some() -> None:
    """A new parser is put into a table, or it is said here why not; and what has gone is said no longer."""
    assert callers_of_decoders() - {parser.module for parser in PARSERS} == ELSEWHERE.keys() | OWN_WORDS.keys()


@pytest.mark.parametrize("parser", PARSERS, ids=str)
def test_a_parser_of_the_table_is_there(parser: Parser) -> None:
    """Under the name that the table gives it."""
    module, _, name = parser.where.partition(": ")

    assert callable(reduce(getattr, name.split("."), importlib.import_module(module)))


@pytest.mark.parametrize("module", ELSEWHERE)
def test_a_parser_that_is_thrown_at_elsewhere_is_there(module: str) -> None:
    """The test knows of it."""
    text = (ROOT.parent / ELSEWHERE[module]).read_text()

    assert module in text or module.rpartition(".")[2] in text


def test_a_reader_that_stands_nowhere_would_be_seen() -> None:
    """The search finds those that are known to read."""
    assert {"cxfs.control.protocol", "cxfs.server.wire", "cxfs.local.rows"} <= callers_of_decoders()
