"""`cxfs config`: shown as it is in force, changed as a careful person would."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from cxfs.cli.exits import Exit

if TYPE_CHECKING:
    from tests.cli.terminal import QuickTerminal

FILE: Final = """\
# mine
default_profile = "home"  # of two

[profiles.home]
api_url = "https://cx.example.org"  # the one in the cellar
allow_http = false

# for the band
[profiles.work]
token_command = "pass show cx"
api_url = "https://cx.example.com"
"""


def test_what_is_in_force_is_shown(quick: QuickTerminal) -> None:
    """Also where the file says nothing."""
    file = quick.configure(FILE)

    shown = quick.cxfs("config", "show", "--profile", "home").lines

    assert [line.split() for line in shown] == [
        ["file", str(file)],
        ["default_profile", "home"],
        [],
        ["[profiles.home]"],
        ["api_url", "https://cx.example.org"],
        ["data_url", "https://cx.example.org"],
        ["auth_url", "https://cx.example.org"],
        ["client_id", "-"],
        ["redirect_uri", "-"],
        ["ca_file", "-"],
        ["allow_http", "false"],
        ["token_file", "-"],
        ["token_command", "-"],
        ["mountpoint", "-"],
        ["options", "-"],
    ]


def test_programs_get_it_in_json(quick: QuickTerminal) -> None:
    """All profiles by name."""
    file = quick.configure(FILE)

    told = json.loads(quick.cxfs("config", "show", "--json").out)

    assert (told["file"], told["default_profile"], set(told["profiles"])) == (str(file), "home", {"home", "work"})
    assert told["profiles"]["work"]["token_command"] == "pass show cx"
    assert told["profiles"]["work"]["ca_file"] is None


def test_one_key_is_changed_and_everything_else_stays(quick: QuickTerminal) -> None:
    """Comments and order as well."""
    file = quick.configure(FILE)

    said = quick.cxfs("config", "set", "api_url", "https://cx.example.net")

    assert (said.status, said.out, said.err) == (Exit.OK, "", "")
    assert file.read_text() == FILE.replace("cx.example.org", "cx.example.net")


def test_a_flag_is_a_flag(quick: QuickTerminal) -> None:
    """And no text."""
    file = quick.configure(FILE)

    quick.cxfs("config", "set", "allow_http", "yes")

    assert file.read_text() == FILE.replace("allow_http = false", "allow_http = true")


def test_a_key_is_removed(quick: QuickTerminal) -> None:
    """One that is not there is no mistake."""
    file = quick.configure(FILE)

    first = quick.cxfs("config", "unset", "-p", "work", "token_command")
    second = quick.cxfs("config", "unset", "-p", "work", "token_command")

    assert (first.status, second.status) == (Exit.OK, Exit.OK)
    assert file.read_text() == FILE.replace('token_command = "pass show cx"\n', "")


@pytest.mark.parametrize("before", [FILE, FILE.replace('default_profile = "home"  # of two\n', "")])
def test_the_default_profile_is_changed_or_added_at_the_top(quick: QuickTerminal, before: str) -> None:
    """Behind a table it would be a key of that."""
    quick.configure(before)

    assert quick.cxfs("config", "set", "default_profile", "work").status == Exit.OK

    assert json.loads(quick.cxfs("config", "show", "--json").out)["default_profile"] == "work"


def test_the_default_profile_is_taken_away(quick: QuickTerminal) -> None:
    """With one profile it is not needed."""
    file = quick.configure('default_profile = "home"\n[profiles.home]\napi_url = "https://cx.example.org"\n')

    assert quick.cxfs("config", "unset", "default_profile").status == Exit.OK
    assert file.read_text() == '[profiles.home]\napi_url = "https://cx.example.org"\n'


def test_of_several_profiles_none_need_be_the_default(quick: QuickTerminal) -> None:
    """Each command is then told which one is meant."""
    file = quick.configure(FILE)

    assert quick.cxfs("config", "unset", "default_profile").status == Exit.OK
    assert "default_profile" not in file.read_text()


def test_a_profile_joins_those_on_one_line(quick: QuickTerminal) -> None:
    """A table in braces cannot be added to by a heading."""
    file = quick.configure('profiles = {home = {api_url = "https://cx.example.org"}}\n')

    said = quick.cxfs("config", "set", "-p", "work", "api_url", "https://cx.example.com")

    assert (said.status, said.err) == (Exit.OK, "")
    assert file.read_text().startswith('profiles = {home = {api_url = "https://cx.example.org"}')
    assert set(json.loads(quick.cxfs("config", "show", "--json").out)["profiles"]) == {"home", "work"}


def test_a_first_profile_begins_with_its_address(quick: QuickTerminal) -> None:
    """For a machine where nobody signs in with a browser."""
    said = quick.cxfs("config", "set", "-p", "home", "api_url", "https://cx.example.org")

    assert said.status == Exit.OK
    assert (
        json.loads(quick.cxfs("config", "show", "--json").out)["profiles"]["home"]["api_url"]
        == "https://cx.example.org"
    )


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (["set", "api_url", "http://cx.example.org"], Exit.CONFIG, "in the clear"),
        (["set", "api_url", "https://cx example org"], Exit.CONFIG, "home.api_url is not a URL of printable ASCII"),
        (["set", "api_url", "https://cx.example.org?"], Exit.CONFIG, "home.api_url must end before any '?'"),
        (["set", "-p", "wrok", "client_id", "x"], Exit.CONFIG, "no profile 'wrok'"),
        (["set", "default_profile", "nobody"], Exit.CONFIG, "there is no [profiles.nobody]"),
        (["unset", "-p", "nobody", "api_url"], Exit.CONFIG, "no profile 'nobody'"),
        (["set", "allow_http", "perhaps"], Exit.USAGE, "true or false"),
        (["set", "colour", "red"], Exit.USAGE, "colour"),
        (["set", "options", "ro,colour=red"], Exit.USAGE, "-o colour: no such mount option"),
        (["set", "api_url"], Exit.USAGE, "VALUE"),
        (["set", "-p", "home", "default_profile", "work"], Exit.USAGE, "without --profile"),
        (["show", "-p", "nobody"], Exit.CONFIG, "no profile 'nobody'"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else None,
)
def test_what_cxfs_would_refuse_is_not_written(
    quick: QuickTerminal, arguments: list[str], status: Exit, why: str
) -> None:
    """The file is as it was."""
    file = quick.configure(FILE)

    said = quick.cxfs("config", *arguments)

    assert (said.status, why in said.line) == (status, True), said.err
    assert file.read_text() == FILE


def test_a_file_that_is_broken_is_not_made_worse(quick: QuickTerminal) -> None:
    """It is read before it is changed."""
    file = quick.configure("[profiles.home\n")

    said = quick.cxfs("config", "set", "api_url", "https://cx.example.org")

    assert (said.status, file.read_text()) == (Exit.CONFIG, "[profiles.home\n")
