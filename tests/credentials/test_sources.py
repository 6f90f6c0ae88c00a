"""Where an access token comes from, and that it is shown nowhere."""

from __future__ import annotations

import contextlib
import math
import os
import resource
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cxfs import credentials
from cxfs.credentials import AccessToken, ClientSecret, CredentialsError, FileStore, SignIn, Stores, TokenSource

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "s3cr3t-t0ken"
SERVER = "https://cx.example.org"


def private(path: Path, text: str = f"{SECRET}\n", mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def python(code: str) -> str:
    """A token_command that runs this code."""
    return shlex.join([sys.executable, "-c", code])


def source(
    *,
    file: Path | None = None,
    command: str | None = None,
    environ: dict[str, str] | None = None,
    stores: Stores | None = None,
    deadline_s: float = 20.0,
) -> TokenSource:
    return TokenSource(
        "home",
        api_url=SERVER,
        token_file=file,
        token_command=command,
        stores=stores or Stores(),
        environ=environ or {},
        deadline_s=deadline_s,
    )


def found(**where: Any) -> str:
    return source(**where).read().token.reveal()


@pytest.fixture
def kept(tmp_path: Path) -> Stores:
    """A machine without a keyring, where somebody has signed in."""
    stores = Stores(FileStore(tmp_path / "credentials"))
    stores.save("home", SignIn(AccessToken(SECRET), SERVER, "an-id", "ann", 1, "an-app", ClientSecret("of-the-app")))
    return stores


def test_the_environment_comes_first(tmp_path: Path) -> None:
    """It is the nearest to the person: set for this one command."""
    file = private(tmp_path / "token", "from-the-file")

    assert found(file=file, command=python("print('ran')"), environ={credentials.VARIABLE: SECRET}) == SECRET


def test_the_file_comes_before_the_command(tmp_path: Path) -> None:
    """Reading is cheaper than running."""
    assert found(file=private(tmp_path / "token"), command=python("print('ran')")) == SECRET


def test_the_command_gives_its_first_line() -> None:
    """Password managers put remarks on the lines below."""
    assert found(command=python(f"print('{SECRET}'); print('a remark')")) == SECRET


def test_an_empty_variable_does_not_fall_through_to_the_file(tmp_path: Path) -> None:
    """Signing in as somebody else unnoticed is worse than an error."""
    with pytest.raises(CredentialsError, match="CXFS_ACCESS_TOKEN: empty"):
        found(file=private(tmp_path / "token"), environ={credentials.VARIABLE: ""})


def test_without_any_source_the_error_names_them() -> None:
    """What to do, in one line."""
    with pytest.raises(CredentialsError, match=r"cxfs login --profile home \(or set CXFS_ACCESS_TOKEN, or token_file"):
        found()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o610])
def test_a_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """The remedy is one command, so the message holds it."""
    with pytest.raises(CredentialsError, match="chmod 600"):
        found(file=private(tmp_path / "token", mode=mode))


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner decides what account is mounted here."""
    file = private(tmp_path / "token")
    owner = file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    stat = os.fstat
    monkeypatch.setattr(os, "fstat", lambda fd: _owned_by(stat(fd), owner + 2))

    with pytest.raises(CredentialsError, match="belongs to another user"):
        found(file=file)


def _owned_by(status: os.stat_result, uid: int) -> os.stat_result:
    values = list(status)
    values[4] = uid
    return os.stat_result(values)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: None, "No such file"),
        (lambda path: path.mkdir(), "no regular file"),
        (lambda path: os.mkfifo(path, 0o600), "no regular file"),
        (lambda path: private(path, ""), "empty"),
        (lambda path: private(path, "two words"), "not an access token"),
        (lambda path: private(path, "umläut"), "not an access token"),
        (lambda path: private(path, "x" * 5000), "not an access token"),
    ],
)
def test_a_file_without_a_token_is_refused_by_its_name(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    """A FIFO among them, which must not hang the mount."""
    path = tmp_path / "token"
    make(path)

    with pytest.raises(CredentialsError) as refused:
        found(file=path)

    assert said in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/no/such/program", "No such file"),
        ("'unclosed", "cannot be split"),
        ("", "cannot be split"),
        (python("raise SystemExit(3)"), "status 3"),
        (python("import os; os.kill(os.getpid(), 9)"), "status -9"),
        (python("pass"), "empty"),
        (python("print('x' * 100_000)"), "more than an access token"),
    ],
)
def test_a_command_that_fails_says_how(command: str, said: str) -> None:
    """In one line, by its own name."""
    with pytest.raises(CredentialsError) as refused:
        found(command=command)

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_command_that_hangs_is_ended() -> None:
    """A service that starts a mount must not wait for ever for a passphrase."""
    begun = time.monotonic()

    with pytest.raises(CredentialsError, match="did not end in time"):
        found(command=python("input = __import__('time').sleep(60)"), deadline_s=0.2)

    assert time.monotonic() - begun < 20


def test_a_command_gets_no_shell(tmp_path: Path) -> None:
    """A path or name with shell characters in it must stay one word."""
    printed = found(command=f"echo $HOME;touch${{IFS}}{tmp_path}/made")

    assert printed.startswith("$HOME;touch")


def test_a_failing_command_leaks_nothing_of_what_it_says(capfd: pytest.CaptureFixture[str]) -> None:
    """Error output of a password manager may quote what it holds."""
    with pytest.raises(CredentialsError) as refused:
        found(command=python(f"import sys; print('{SECRET}', file=sys.stderr); sys.exit(1)"))

    assert SECRET not in str(refused.value) + "".join(capfd.readouterr())


def test_a_file_that_cannot_be_read_to_its_end_is_said() -> None:
    """As on a disk that fails: a running mount that looks there must not end over it."""
    with pytest.raises(CredentialsError, match="/proc/self/mem: cannot be read: Input/output error"):
        found(file=Path("/proc/self/mem"))


def test_a_command_is_heard_beside_many_open_files() -> None:
    """A mount may have thousands open; select() knows 1,024."""
    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(former[1], 4_096), former[1]))
    with contextlib.ExitStack() as opened:
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, former)
        for _ in range(1_100):
            opened.callback(os.close, os.dup(0))

        assert found(command=f"echo {SECRET}") == SECRET


def test_a_sign_in_is_what_comes_last(tmp_path: Path, kept: Stores) -> None:
    """What the person put into the profile by hand is meant."""
    read = source(stores=kept).read()

    assert read.token.reveal() == SECRET
    assert read.sign_in is not None
    assert read.sign_in.client_id == "an-app"
    assert "private file" in read.source
    assert found(file=private(tmp_path / "token", "by-hand"), stores=kept) == "by-hand"


def test_a_sign_in_is_for_its_server_only(kept: Stores) -> None:
    """A token must not travel to another host because an address in a file was changed."""
    elsewhere = TokenSource("home", api_url="https://other.example.org", stores=kept, environ={})

    with pytest.raises(CredentialsError, match=f"is for {SERVER}, but its api_url is https://other.example.org now"):
        elsewhere.read()


@pytest.mark.parametrize("name", ["cxfs.home", "cxfs"])
def test_systemd_hands_over_a_credential(tmp_path: Path, name: str, kept: Stores) -> None:
    """In a folder of its own, whose files show mode 0440 to a service with a user; systemd answers for them."""
    private(tmp_path / name, mode=0o440)

    assert found(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}, command="/no/such/program", stores=kept) == SECRET


def test_a_credential_that_cannot_be_looked_at_does_not_fall_through(kept: Stores) -> None:
    """It may be there, and what is kept may be of somebody else."""
    with pytest.raises(CredentialsError, match="File name too long"):
        found(environ={"CREDENTIALS_DIRECTORY": "/" + "x" * 300}, stores=kept)


def test_a_service_without_our_credential_goes_on_looking(tmp_path: Path, kept: Stores) -> None:
    """The folder is there for every service that has been handed anything."""
    private(tmp_path / "cxfs.other-profile", "of-another-profile")

    assert found(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}, stores=kept) == SECRET


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"environ": {credentials.VARIABLE: SECRET}}, math.inf),
        ({"command": "pass show cx"}, 60.0),
        ({"file": "/etc/token"}, 2.0),
        ({}, 2.0),
    ],
)
def test_how_often_a_signed_out_mount_looks_again(where: dict[str, Any], expected: float) -> None:
    """An environment cannot change, and a program may ask for a passphrase each time."""
    assert source(**where).look_again_s == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, "cxfs login --profile home mends it"),
        ({"file": Path("/etc/token")}, "a new token from /etc/token mends it"),
        ({"command": "pass show cx"}, "a new token from its token_command mends it"),
        (
            {"environ": {credentials.VARIABLE: SECRET}, "file": Path("/etc/token")},
            "CXFS_ACCESS_TOKEN holds it: start again with another",
        ),
    ],
)
def test_a_refused_token_is_mended_where_it_came_from(where: dict[str, Any], expected: str) -> None:
    """Signing in would be of no use where something else comes before what that keeps."""
    assert source(**where).remedy == expected


def test_a_refused_credential_of_systemd_is_mended_there(tmp_path: Path) -> None:
    """By its name, since the folder is systemd's."""
    private(tmp_path / "cxfs")

    handed = source(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert handed.remedy == "a new token from systemd's credential cxfs mends it"
