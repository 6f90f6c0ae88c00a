"""What is said over a control socket, line by line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from cxfs.control.protocol import Arguments, Done, Failure, Kind, Progress, Request, RequestError, parse_answer

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.text(), st.dictionaries(st.text(), VALUES))
def test_a_request_is_read_as_it_was_meant(verb: str, arguments: dict[str, object]) -> None:
    """On one line, whatever the names in it hold."""
    line = Request(verb, arguments).line()

    assert line.count(b"\n") == 1
    assert Request.parse(line) == Request(verb, arguments)


@pytest.mark.parametrize("answer", [Progress({"left": 3}), Done({}), Failure("refused", "no")])
def test_an_answer_is_read_as_it_was_meant(answer: Progress | Done | Failure) -> None:
    """Each of the three kinds."""
    assert parse_answer(answer.line()) == answer


@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_other_line_is_refused_in_words(line: bytes) -> None:
    """No line of anybody's is a fault of ours, on either side."""
    assert parse_answer(line) is None
    with pytest.raises(RequestError) as refused:
        Request.parse(line)

    assert refused.value.kind in {Kind.GARBAGE, Kind.VERSION}


def test_another_version_is_told_which_one_this_is() -> None:
    """A mount may outlive an upgrade of the program that asks it."""
    with pytest.raises(RequestError, match=r"speaks version 1 .*, not 2") as refused:
        Request.parse(b'{"cxfs": 2, "verb": "status"}')

    assert refused.value.kind is Kind.VERSION


def test_an_error_of_another_version_is_understood() -> None:
    """It is what says so."""
    assert parse_answer(b'{"cxfs": 9, "error": "this is version 9", "kind": "version"}') == Failure(
        "version", "this is version 9"
    )


def test_unknown_keys_are_left_for_later_versions() -> None:
    """So that a newer program can ask an older mount."""
    assert Request.parse(b'{"cxfs": 1, "verb": "status", "trace": true}') == Request("status")


def test_a_name_that_is_not_utf8_arrives_as_it_is() -> None:
    """Paths come from the command line as they are; that CX refuses them is said by the file system."""
    path = b"caf\xe9".decode(errors="surrogateescape")

    assert Request.parse(Request("sync", {"path": path}).line()).arguments == {"path": path}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"path": 3}, "path: expected a string"),
        ({"ids": "a"}, "ids: expected a list of strings"),
        ({"ids": [1]}, "ids: expected a list of strings"),
        ({"version": "1"}, "version: expected a whole number"),
        ({"version": True}, "version: expected a whole number"),
        ({"version": 1.0}, "version: expected a whole number"),
        ({"recursive": 1}, "recursive: expected true or false"),
        ({"patth": "a"}, "unknown arguments: patth"),
    ],
)
def test_arguments_of_another_type_or_name_are_refused(values: dict[str, object], said: str) -> None:
    """A misspelt path must not come to mean everything."""
    arguments = Arguments(values)

    with pytest.raises(RequestError, match=said):
        take_all(arguments)


def take_all(arguments: Arguments) -> None:
    """As a verb with an argument of each type does."""
    arguments.text("path")
    arguments.texts("ids")
    arguments.number("version")
    arguments.flag("recursive")
    arguments.end()


def test_an_absent_argument_is_none() -> None:
    """As is null; a flag is false then."""
    arguments = Arguments({"path": None, "version": None, "recursive": None})

    assert (arguments.text("path"), arguments.texts("ids"), arguments.number("version")) == (None, None, None)
    assert arguments.flag("recursive") is False
    arguments.end()
