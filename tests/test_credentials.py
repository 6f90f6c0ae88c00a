"""Where an access token comes from, and that it is shown nowhere."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import shlex
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cxfs import credentials
from cxfs.credentials import AccessToken, CredentialsError, find_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "s3cr3t-t0ken"


def private(path: Path, text: str = f"{SECRET}\n", mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def python(code: str) -> str:
    """A token_command that runs this code."""
    return shlex.join([sys.executable, "-c", code])


def found(*, file: Path | None = None, command: str | None = None, environ: dict[str, str] | None = None) -> str:
    return find_token(token_file=file, token_command=command, environ=environ or {}, deadline_s=20.0).reveal()


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


def test_without_any_source_the_error_names_all_three() -> None:
    """What to do, in one line."""
    with pytest.raises(CredentialsError, match="set CXFS_ACCESS_TOKEN, or token_file or token_command"):
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
        (lambda path: private(path, "two words"), "no access token"),
        (lambda path: private(path, "umläut"), "no access token"),
        (lambda path: private(path, "x" * 5000), "no access token"),
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
        find_token(
            token_file=None, token_command=python("input = __import__('time').sleep(60)"), environ={}, deadline_s=0.2
        )

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


def test_a_token_shows_itself_to_reveal_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever prints, formats or logs it prints no secret."""
    token = AccessToken(SECRET)
    logging.getLogger("test").warning("%s %r", token, token)

    shown = [str(token), repr(token), f"{token}", f"{token!r}", str([token]), str({"token": token}), caplog.text]

    assert [text for text in shown if SECRET in text] == []
    assert token.reveal() == SECRET


def test_a_token_is_not_pickled() -> None:
    """A pickle is a file with the secret in it."""
    with pytest.raises(TypeError):
        pickle.dumps(AccessToken(SECRET))


def test_tokens_are_equal_by_what_they_hold() -> None:
    """A running mount compares a new one with its own."""
    assert AccessToken(SECRET) == AccessToken(SECRET)
    assert AccessToken(SECRET) != AccessToken("another")
    assert AccessToken(SECRET) != SECRET


def test_a_token_is_not_copied_either() -> None:
    """Copying goes the way of pickling."""
    with pytest.raises(TypeError):
        copy.copy(AccessToken(SECRET))
