"""`cxfs doctor`: findings as lines and as JSON, and an exit status that tells whether there is a problem."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cxfs.cli.exits import Exit

if TYPE_CHECKING:
    from tests.cli.daemons import SpokenDaemon
    from tests.cli.terminal import QuickTerminal
    from tests.mounting import Account


def signed_in(quick: QuickTerminal, account: Account) -> None:
    """The only profile is this account's."""
    (quick.home / "token").touch(mode=0o600)
    (quick.home / "token").write_text(account.token)
    quick.configure(
        f'[profiles.home]\napi_url = "{account.url}"\nca_file = "{account.ca_file}"\n'
        f'token_file = "{quick.home}/token"\n'
    )


def test_a_machine_an_account_and_a_server_in_order_are_told_so(quick: QuickTerminal, own_account: Account) -> None:
    """With what was seen; the token is in no line."""
    signed_in(quick, own_account)

    told = json.loads(quick.cxfs("doctor", "--json").out)

    found = {each["check"]: each for each in told}
    assert {"device", "fusermount3", "allow_other", "disk", "mounts", "indexer", "config", "token", "server", "tls",
            "clock", "latency", "account", "throughput"} <= set(found)  # fmt: skip
    assert found["account"] == {
        "check": "account", "level": "ok", "text": f"signed in as {own_account.name}", "remedy": None
    }  # fmt: skip
    assert own_account.token not in json.dumps(told)


def test_a_problem_has_its_remedy_on_a_line_of_its_own(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """And makes the status a failure's: nobody is mounted there, and nobody is signed in."""
    said = quick.cxfs("doctor")

    assert said.status == Exit.FAILED
    lines = said.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("problem  token"))
    assert lines[at + 1].strip() == "-> cxfs login --profile home"


def test_a_broken_configuration_is_a_finding(quick: QuickTerminal) -> None:
    """Not the end: the rest is looked at all the same."""
    quick.configure("[profiles.home\n")

    said = quick.cxfs("doctor", "--json")

    found = {each["check"]: each for each in json.loads(said.out)}
    assert (said.status, found["config"]["level"]) == (Exit.FAILED, "problem")
    assert "not TOML" in found["config"]["text"] + found["config"]["remedy"]
    assert "device" in found


def test_only_this_machine_can_be_looked_at(quick: QuickTerminal) -> None:
    """No server is asked, and no profile needed."""
    told = json.loads(quick.cxfs("doctor", "--here", "--json").out)

    assert "server" not in {each["check"] for each in told}


def test_a_profile_that_is_not_there_is_a_finding(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """With the remedy."""
    said = quick.cxfs("doctor", "--json", "--profile", "nobody")

    found = {each["check"]: each for each in json.loads(said.out)}
    assert (said.status, found["config"]["remedy"]) == (
        Exit.FAILED,
        "cxfs login --server URL adds a profile; --profile chooses one",
    )


def test_an_argument_that_means_nothing_is_refused(quick: QuickTerminal) -> None:
    """As everywhere."""
    said = quick.cxfs("doctor", "mnt")

    assert (said.status, bool(said.line)) == (Exit.USAGE, True)
