"""`cxfs login`, `logout` and `profiles`, as a person at a terminal or a script meets them.

Whoever agrees in the browser is played by the server's host here; tests/browser has a real one.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
import socket
import stat
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import pexpect
import pytest

from cxfs.cli.exits import Exit
from cxfs.server import administration
from tests.cli.terminal import COMMAND_TIMEOUT_S, Said, Terminal
from tests.server_process import ServerProcess, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

REDIRECT: Final = "https://127.0.0.1/"

BROWSER: Final = """
import ssl, sys, urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from cxfs.server import administration

directory, user, address = sys.argv[1:]
asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
with administration.open_store(Path(directory)) as store:
    code = administration.issue_code(store, user, app=asked["client_id"], redirect_uri=asked["redirect_uri"])
past_the_warning = ssl._create_unverified_context()
answer = f"{asked['redirect_uri']}?auth_code={code}&state={asked['state']}"
urllib.request.urlopen(answer, context=past_the_warning).read()
"""


@dataclass(frozen=True)
class Newcomer:
    """Somebody with an account on the running server, who has never used cxfs, and how cxfs is registered there."""

    name: str
    server: ServerProcess
    terminal: Terminal
    client_id: str
    client_secret: str
    fingerprint: str

    @property
    def words(self) -> list[str]:
        """What they type when they know what is to be trusted."""
        return [
            "login",
            "--server",
            self.server.url,
            "--client-file",
            "client.toml",
            "--ca-fingerprint",
            self.fingerprint,
        ]

    @property
    def store_file(self) -> Path:
        """Where the token of the profile `default` ends up without a keyring."""
        return self.terminal.home / ".local/share/cxfs/credentials/default.json"

    def kept(self) -> dict[str, str]:
        """What stands there."""
        found = json.loads(self.store_file.read_text(encoding="utf-8"))
        assert isinstance(found, dict)
        return found

    def code(self, redirect_uri: str = REDIRECT) -> str:
        """What the sign-in page would give once they have agreed."""
        with administration.open_store(self.server.directory) as store:
            return administration.issue_code(store, self.name, app=self.client_id, redirect_uri=redirect_uri)

    def login(self, words: Sequence[str], answer: str) -> Said:
        """Signs in as over SSH; `answer` is what is pasted, with `{code}` and `{state}` in it."""
        process = subprocess.Popen(
            [sys.executable, "-m", "cxfs", *words],
            cwd=self.terminal.home,
            env={**self.terminal.environment, "SSH_CONNECTION": "there"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        with process:
            shown = ""
            while "paste it here" not in shown and (line := process.stderr.readline()):
                shown += line
            address = re.search(r"https://\S+/mycx/oauth/authorize\S+", shown)
            pasted = answer
            if address is not None:
                asked = parse_qs(urlsplit(address[0]).query)
                pasted = answer.replace("{state}", asked["state"][0]).replace("{code}", self.code())
            out, err = process.communicate(f"{pasted}\n", timeout=COMMAND_TIMEOUT_S)
        return Said(process.returncode, out, err if address is not None else shown + err)

    def agree(self, *words: str) -> Said:
        """Signs in, all the way."""
        return self.login(words or self.words, "https://127.0.0.1/?auth_code={code}&state={state}")


@pytest.fixture
def newcomer(running_server: ServerProcess, terminal: Terminal) -> Newcomer:
    name = f"newcomer-{secrets.token_hex(4)}"
    with administration.open_store(running_server.directory) as store:
        administration.add_user(store, name, password=None)
        client_id, secret = administration.add_app(store, f"cxfs of {name}", [REDIRECT])
    file = terminal.home / "client.toml"
    file.touch(mode=0o600)
    file.write_text(f'client_id = "{client_id}"\nclient_secret = "{secret}"\n')
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", str(running_server.ca_file)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Newcomer(name, running_server, terminal, client_id, secret, shown.stdout.partition("=")[2].strip())


# ------------------------------------------------------------------------------------------------ the way


def test_signing_in_over_ssh(newcomer: Newcomer) -> None:
    """The address is shown, and what the browser arrived at is pasted; from then on cxfs knows who one is."""
    said = newcomer.agree()

    assert said.lines == [
        f"default is signed in as {newcomer.name}; the token is in a private file in ~/.local/share/cxfs/credentials"
    ]
    whoami = "\n".join(newcomer.terminal.cxfs("whoami").lines)
    assert newcomer.name in whoami
    assert "token    a private file in ~/.local/share/cxfs/credentials" in whoami
    assert f"ca       {newcomer.terminal.home}/.config/cxfs/ca/default.pem" in whoami


def test_what_is_kept_is_the_persons_alone(newcomer: Newcomer) -> None:
    """The token and the client's secret; the configuration holds neither."""
    newcomer.agree()

    kept = newcomer.kept()
    configuration = (newcomer.terminal.home / ".config/cxfs/config.toml").read_text()
    assert stat.S_IMODE(newcomer.store_file.stat().st_mode) == 0o600
    assert (kept["client_id"], kept["client_secret"]) == (newcomer.client_id, newcomer.client_secret)
    assert kept["access_token"] not in configuration
    assert newcomer.client_secret not in configuration


def test_signing_in_with_a_browser(newcomer: Newcomer) -> None:
    """It is opened with the address, and comes back to this machine by itself."""
    program = newcomer.terminal.home / "browse.py"
    program.write_text(BROWSER)
    opener = shlex.join([sys.executable, str(program), str(newcomer.server.directory), newcomer.name])
    desktop = newcomer.terminal.but(DISPLAY=":7", BROWSER=f"{opener} %s", PYTHONPATH=str(Path.cwd()))

    said = desktop.cxfs(*newcomer.words)

    assert said.lines[0].startswith(f"default is signed in as {newcomer.name}")
    assert re.search(r"fingerprint is\n\n  (?:[0-9A-F]{2}:){31}[0-9A-F]{2}\n", said.err)
    assert "paste" not in said.err  # there is nobody at its standard input


def test_signing_in_again_asks_for_no_client(newcomer: Newcomer) -> None:
    """It is kept beside the token. The new token takes the place of the former."""
    newcomer.agree()
    former = newcomer.kept()["access_token"]
    (newcomer.terminal.home / "client.toml").unlink()

    said = newcomer.agree("login")

    assert said.status == 0, said.err
    assert newcomer.kept()["access_token"] != former
    assert newcomer.kept()["client_secret"] == newcomer.client_secret


def test_who_signs_in_for_nothing_is_told(newcomer: Newcomer) -> None:
    """What the environment holds comes first, and would be used in silence."""
    elsewhere = replace(newcomer, terminal=newcomer.terminal.but(CXFS_ACCESS_TOKEN="t0ken"))

    said = elsewhere.agree()

    assert said.status == 0, said.err
    warned = "cxfs: but default goes by the environment's CXFS_ACCESS_TOKEN, which comes first"
    assert said.err.splitlines()[-1] == warned
    assert warned not in newcomer.agree("login").err


def test_signing_out_forgets_the_token(newcomer: Newcomer) -> None:
    """And says where it was; once more there is nothing to forget."""
    newcomer.agree()

    said = newcomer.terminal.cxfs("logout")

    assert "default is signed out" in said.lines[0]
    assert not newcomer.store_file.exists()
    assert newcomer.terminal.cxfs("whoami").status == Exit.SIGNED_OUT
    assert newcomer.terminal.cxfs("logout").status == Exit.SIGNED_OUT


def test_profiles_are_listed_with_how_each_stands(newcomer: Newcomer) -> None:
    """Without asking any server."""
    newcomer.agree()
    newcomer.login([*newcomer.words, "--profile", "other"], "https://127.0.0.1/?deny=true&state={state}")

    listed = json.loads("\n".join(newcomer.terminal.cxfs("profiles", "--json").lines))

    assert [(line["name"], line["default"], line["account"], line["token"]) for line in listed] == [
        ("default", True, newcomer.name, "file"),
        ("other", False, None, None),
    ]
    assert {line["server"] for line in listed} == {newcomer.server.url}
    assert newcomer.name in newcomer.terminal.cxfs("profiles").out


# ------------------------------------------------------------------------------------------------ wrong turns


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ("https://127.0.0.1/?deny=true&state={state}", "denied in the browser"),
        ("https://127.0.0.1/?auth_code={code}&state=of-another", "another sign-in"),
        ("https://127.0.0.1/?auth_code=not-a-code&state={state}", "refused the code"),
        ("https://127.0.0.1/", "no code"),
        ("", "no code"),
    ],
    ids=["denied", "another's answer", "no such code", "no answer", "nothing"],
)
def test_each_wrong_answer_has_its_line(newcomer: Newcomer, answer: str, named: str) -> None:
    """And nothing is kept."""
    said = newcomer.login(newcomer.words, answer)

    assert said.status == Exit.SIGNED_OUT
    assert named in said.err.splitlines()[-1]
    assert not newcomer.store_file.exists()


def test_a_wrong_client_secret(newcomer: Newcomer) -> None:
    """The service tells it from a wrong code, and so do we."""
    (newcomer.terminal.home / "client.toml").write_text(
        f'client_id = "{newcomer.client_id}"\nclient_secret = "wr0ng"\n'
    )

    said = newcomer.agree()

    assert said.status == Exit.SIGNED_OUT
    assert "does not know this client id with this client secret" in said.err.splitlines()[-1]
    assert "wr0ng" not in said.err


@pytest.mark.parametrize(
    ("content", "mode", "named"),
    [
        ("client_id = 1", 0o600, "expected client_id"),
        ('client_id = 1\nclient_secret = "b"\n', 0o600, "expected client_id"),
        ('client_id = "a"\nclient_secret = 2\n', 0o600, "expected client_id"),
        ('client_id = ""\nclient_secret = "b"\n', 0o600, "expected client_id"),
        ('client_id = "a"\nclient_secret = "two words"\n', 0o600, "not a client secret"),
        ("not toml", 0o600, "expected client_id"),
        (f"a = {'9' * 5_000}", 0o600, "expected client_id"),
        (f"a = {'[' * 5_000}", 0o600, "expected client_id"),
        ('client_id = "a"\nclient_secret = "b"\n', 0o644, "chmod 600"),
    ],
)
def test_a_client_file_that_cannot_be_used(newcomer: Newcomer, content: str, mode: int, named: str) -> None:
    """It holds a secret, so it is as private as one."""
    file = newcomer.terminal.home / "client.toml"
    file.write_text(content)
    file.chmod(mode)

    said = newcomer.terminal.cxfs(*newcomer.words)

    assert said.status in {Exit.CONFIG, Exit.SIGNED_OUT}
    assert named in said.line


def test_without_a_client_a_script_is_told_where_to_put_it(newcomer: Newcomer) -> None:
    """There is nobody to ask."""
    said = newcomer.terminal.cxfs("login", "--server", newcomer.server.url, "--ca-fingerprint", newcomer.fingerprint)

    assert said.status == Exit.USAGE
    assert "--client-file, or set CXFS_CLIENT_ID and CXFS_CLIENT_SECRET" in said.line


def test_without_anybody_to_paste_it_there_is_no_answer(newcomer: Newcomer) -> None:
    """A job without a terminal has nothing for standard input, or a file."""
    said = newcomer.terminal.cxfs(*newcomer.words, "--no-browser")

    assert said.status == Exit.SIGNED_OUT
    assert "no code" in said.err.splitlines()[-1]


def test_without_standard_input_there_is_nothing_to_paste_into(newcomer: Newcomer) -> None:
    """A service can be started with it closed."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "cxfs", *newcomer.words, "--no-browser"],
        cwd=newcomer.terminal.home, env=newcomer.terminal.environment, capture_output=True, text=True,
        timeout=COMMAND_TIMEOUT_S, check=False,
    )  # fmt: skip

    assert done.returncode == Exit.USAGE
    assert "standard input is closed" in Said(done.returncode, done.stdout, done.stderr).line


def test_a_port_that_is_taken(newcomer: Newcomer) -> None:
    """A registered address with a port of its own leaves no choice."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = newcomer.terminal.but(DISPLAY=":7", BROWSER="true").cxfs(
            *newcomer.words, "--redirect-uri", f"https://127.0.0.1:{port}/"
        )

    assert said.status == Exit.FAILED
    assert f"cannot listen at 127.0.0.1 port {port}" in said.line


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1/", "https://", "127.0.0.1", "https://127.0.0.1/?a=b", "https://[/", "https://ex\u00e4mple.org/"],
)
def test_a_redirect_address_that_cannot_be(newcomer: Newcomer, uri: str) -> None:
    """It has to be https [doc], and as it was registered."""
    said = newcomer.terminal.cxfs(*newcomer.words, "--redirect-uri", uri)

    assert said.status == Exit.SIGNED_OUT
    assert "redirect address" in said.line


def test_a_server_that_is_not_there(newcomer: Newcomer) -> None:
    """No profile is left behind for it."""
    said = newcomer.terminal.cxfs("login", "--server", f"127.0.0.1:{free_port()}", "--client-file", "client.toml")

    assert said.status == Exit.UNREACHABLE
    assert "cxfs: " in said.line
    assert not (newcomer.terminal.home / ".config/cxfs/config.toml").exists()


def test_a_profile_is_not_moved_to_another_server(newcomer: Newcomer) -> None:
    """What waits for the one would go to the other."""
    newcomer.agree()

    said = newcomer.terminal.cxfs("login", "--server", "https://other.example.org")

    assert said.status == Exit.CONFIG
    assert "name another one with --profile" in said.line


def test_plain_http_is_for_this_machine(newcomer: Newcomer) -> None:
    """The token would travel in the clear."""
    said = newcomer.terminal.cxfs("login", "--server", "http://cx.example.org")

    assert said.status == Exit.CONFIG
    assert "use https" in said.line


# ------------------------------------------------------------------------------------------------ whom to trust


def test_a_script_is_not_made_to_trust_unseen(newcomer: Newcomer) -> None:
    """The line holds what is to be compared, and how to say so."""
    said = newcomer.terminal.cxfs("login", "--server", newcomer.server.url, "--client-file", "client.toml")

    assert said.status == Exit.UNREACHABLE
    assert f"give --ca-fingerprint {newcomer.fingerprint}" in said.line
    assert not (newcomer.terminal.home / ".config/cxfs/config.toml").exists()


def test_another_fingerprint_than_was_agreed_to(newcomer: Newcomer) -> None:
    """Somebody is in between, or it is another server."""
    said = newcomer.terminal.cxfs(*newcomer.words[:-1], newcomer.fingerprint.replace("A", "B"))

    assert said.status == Exit.UNREACHABLE
    assert "another fingerprint" in said.line


def test_an_authority_that_is_no_longer_the_servers(newcomer: Newcomer, tmp_path: Path) -> None:
    """What was pinned once is not replaced by whatever is offered now."""
    newcomer.agree()
    with ServerProcess(tmp_path / "other") as other:
        pinned = newcomer.terminal.home / ".config/cxfs/ca/default.pem"
        pinned.write_bytes(other.ca_file.read_bytes())

        said = newcomer.terminal.cxfs("login")

    assert said.status == Exit.UNREACHABLE
    assert f"is {pinned}, the profile's ca_file, still that server's authority?" in said.line


def sitting_at(newcomer: Newcomer, *words: str) -> pexpect.spawn[str]:
    """A person at a terminal of 300 columns."""
    return pexpect.spawn(
        sys.executable, ["-m", "cxfs", *words], cwd=newcomer.terminal.home, encoding="utf-8", timeout=COMMAND_TIMEOUT_S,
        env={**newcomer.terminal.environment, "SSH_TTY": "here", "TERM": "xterm"}, dimensions=(50, 300),
    )  # fmt: skip


def test_a_person_compares_the_fingerprint_and_types_the_client_unseen(newcomer: Newcomer) -> None:
    """The whole way, by hand: trust, client id, its secret without echo, and the answer."""
    shell = sitting_at(newcomer, "login", "--server", newcomer.server.url)
    shell.expect_exact(newcomer.fingerprint)
    shell.expect("shall this profile trust it")
    shell.sendline("y")
    shell.expect("Client id")
    shell.sendline(newcomer.client_id)
    shell.expect("Client secret")
    shell.waitnoecho()
    shell.sendline(newcomer.client_secret)
    shell.expect(r"state=(\S+)")
    state = shell.match[1]  # type: ignore[index]
    shell.expect("paste it here")
    assert newcomer.client_secret not in (shell.before or "")
    shell.sendline(f"https://127.0.0.1/?auth_code={newcomer.code()}&state={state}")
    shell.expect("is signed in as")
    shell.expect(pexpect.EOF)
    shell.close()

    assert shell.exitstatus == 0
    assert newcomer.kept()["client_secret"] == newcomer.client_secret


def test_a_person_who_does_not_trust_it_sends_it_nothing(newcomer: Newcomer) -> None:
    """No is the default."""
    shell = sitting_at(newcomer, *newcomer.words[:-2])
    shell.expect("shall this profile trust it")
    shell.sendline("")
    shell.expect("is not trusted")
    shell.expect(pexpect.EOF)
    shell.close()

    assert shell.exitstatus == Exit.UNREACHABLE
    assert not (newcomer.terminal.home / ".config").exists()


def test_who_changes_their_mind_is_left_alone(newcomer: Newcomer) -> None:
    """Ctrl-C while the browser is being waited for."""
    shell = sitting_at(newcomer, *newcomer.words)
    shell.expect("paste it here")
    shell.sendintr()
    shell.expect("interrupted")
    shell.expect(pexpect.EOF)
    shell.close()

    assert shell.exitstatus == Exit.INTERRUPTED
