"""Where a sign-in is kept when there is a keyring, and when there is none."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from cxfs.credentials import AccessToken, ClientSecret, CredentialsError, FileStore, SignIn, Stores

if TYPE_CHECKING:
    from pathlib import Path


def sign_in(token: str = "s3cr3t", *, at_ms: int = 1) -> SignIn:
    return SignIn(
        AccessToken(token), "https://cx.example.org", "an-id", "ann", at_ms, "app", ClientSecret("of-the-app")
    )


class Keyring:
    """One of the test's own: absent, locked, or what it holds."""

    label = "keyring"
    name = "the keyring"

    def __init__(self, *, locked: bool = False) -> None:
        self.locked = locked
        self.held: dict[str, SignIn] = {}

    def load(self, profile: str) -> SignIn | None:
        self._check()
        return self.held.get(profile)

    def save(self, profile: str, sign_in: SignIn) -> None:
        self._check()
        self.held[profile] = sign_in

    def remove(self, profile: str) -> bool:
        self._check()
        return self.held.pop(profile, None) is not None

    def _check(self) -> None:
        if self.locked:
            raise CredentialsError("the keyring is locked")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "share" / "credentials"


@pytest.fixture
def files(folder: Path) -> FileStore:
    return FileStore(folder)


def token_in(stores: Stores) -> str | None:
    found = stores.load("home")
    return None if found is None else found[0].token.reveal()


# ------------------------------------------------------------------------------------------------ files


def test_what_was_kept_comes_back_whole(files: FileStore) -> None:
    """Secrets, client and all."""
    files.save("home", sign_in())

    assert files.load("home") == sign_in()
    assert files.load("work") is None


def test_a_file_is_the_persons_alone(files: FileStore, folder: Path) -> None:
    """Whatever the umask."""
    former = os.umask(0)
    try:
        files.save("home", sign_in())
    finally:
        os.umask(former)

    assert stat.S_IMODE((folder / "home.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [file.name for file in folder.iterdir()] == ["home.json"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620])
def test_a_file_that_others_can_reach_is_refused(files: FileStore, folder: Path, mode: int) -> None:
    """Who could read it has the account; who could write it decides which account this is."""
    files.save("home", sign_in())
    (folder / "home.json").chmod(mode)

    with pytest.raises(CredentialsError, match="chmod 600"):
        files.load("home")


def test_a_folder_that_others_can_enter_is_refused(files: FileStore, folder: Path) -> None:
    """They could put another file in its place; nothing is written there either."""
    files.save("home", sign_in())
    folder.chmod(0o770)

    with pytest.raises(CredentialsError, match="chmod 700"):
        files.load("home")
    with pytest.raises(CredentialsError, match="chmod 700"):
        files.save("home", sign_in("another"))


ENDLESS = (
    '{"access_token": "s3cr3t", "api_url": "a", "account_id": "i", "account_name": "n", "at_ms": 1e999,'
    ' "client_id": "", "client_secret": "s"}'
)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"access_token": "s3cr3t"}', "s3cr3t", "\0", "[" * 5_000, ENDLESS]
)
def test_a_file_that_holds_something_else_is_said_without_quoting_it(files: FileStore, folder: Path, text: str) -> None:
    """Half of a secret is still half of a secret."""
    files.save("home", sign_in())
    (folder / "home.json").write_text(text)

    with pytest.raises(CredentialsError, match="holds no sign-in of cxfs: cxfs login again") as refused:
        files.load("home")

    assert "s3cr3t" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_save_that_fails_leaves_the_former_sign_in(
    files: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Atomic: there is never half a file, nor a draft left behind."""
    files.save("home", sign_in())

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CredentialsError, match="No space left"):
        files.save("home", sign_in("another"))

    assert files.load("home") == sign_in()
    assert [file.name for file in folder.iterdir()] == ["home.json"]


def test_a_folder_that_cannot_be_looked_into_is_said(tmp_path: Path) -> None:
    """As one that `sudo` left to another user: a running mount that looks there must not end over it."""
    files = FileStore(tmp_path / ("x" * 300))

    with pytest.raises(CredentialsError, match="File name too long"):
        files.load("home")
    with pytest.raises(CredentialsError, match="File name too long"):
        files.remove("home")


# ------------------------------------------------------------------------------------------------ which of them


def test_the_keyring_is_preferred(files: FileStore) -> None:
    """And the file that was there before is gone: no secret lies about."""
    keyring = Keyring()
    files.save("home", sign_in("old"))

    place = Stores(keyring, files).save("home", sign_in("new", at_ms=2))

    assert place is keyring
    assert files.load("home") is None


def test_a_locked_keyring_gives_way_to_the_file(files: FileStore) -> None:
    """Over SSH nobody can unlock it."""
    place = Stores(Keyring(locked=True), files).save("home", sign_in())

    assert place is files


def test_who_asks_for_the_keyring_gets_it_or_an_error(files: FileStore) -> None:
    """Falling back unnoticed would put the secret where it was not wanted."""
    with pytest.raises(CredentialsError, match="locked"):
        Stores(Keyring(locked=True), files).save("home", sign_in(), label="keyring")

    assert files.load("home") is None


def test_the_newer_of_two_sign_ins_counts(files: FileStore) -> None:
    """The file was written while the keyring was locked; now it is unlocked and offers the former one."""
    keyring = Keyring()
    stores = Stores(keyring, files)
    stores.save("home", sign_in("old"), label="keyring")
    keyring.locked = True
    stores.save("home", sign_in("new", at_ms=2))

    keyring.locked = False

    assert token_in(stores) == "new"


def test_a_locked_keyring_is_told_only_when_nothing_else_is_kept(files: FileStore) -> None:
    """It may or may not hold the token: without a file, that is the reason to give."""
    stores = Stores(Keyring(locked=True), files)

    with pytest.raises(CredentialsError, match="locked"):
        stores.load("home")
    files.save("home", sign_in())

    assert token_in(stores) == "s3cr3t"


def test_signing_out_removes_it_everywhere(files: FileStore) -> None:
    """And says where it was."""
    keyring = Keyring()
    keyring.save("home", sign_in())
    files.save("home", sign_in())
    stores = Stores(keyring, files)

    assert stores.remove("home") == [keyring, files]
    assert stores.load("home") is None
    assert stores.remove("home") == []


def test_signing_out_says_what_a_locked_keyring_may_still_hold(files: FileStore) -> None:
    """A secret that stays behind is not called gone; what can be removed is, all the same."""
    files.save("home", sign_in())

    with pytest.raises(CredentialsError, match="locked"):
        Stores(Keyring(locked=True), files).remove("home")

    assert files.load("home") is None
