"""The Secret Service itself: a session bus and GNOME Keyring of the test's own."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import secretstorage

from cxfs.credentials import AccessToken, ClientSecret, CredentialsError, FileStore, KeyringStore, SignIn, Stores
from cxfs.credentials.stores import KeyringState
from tests.mounting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SIGN_IN = SignIn(AccessToken("s3cr3t"), "https://cx.example.org", "an-id", "ann", 1, "app", ClientSecret("of-the-app"))


@contextmanager
def running(*command: str, environ: Mapping[str, str], stdin: str = "") -> Iterator[str]:
    """A program for the length of the block, and the first line that it prints."""
    with subprocess.Popen(
        command, env={**os.environ, **environ}, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(stdin)
        process.stdin.close()
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A session bus on which nobody has been started yet."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    services = tmp_path / "bus.conf"
    services.write_text(
        "<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth><policy"
        ' context="default"><allow send_destination="*"/><allow own="*"/><allow eavesdrop="true"/></policy></busconfig>'
    )
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(folder)}
    with running("dbus-daemon", "--nofork", "--print-address", f"--config-file={services}", environ=environ) as address:
        for name, value in {**environ, "DBUS_SESSION_BUS_ADDRESS": address}.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.fixture
def keyring(bus: None) -> Iterator[KeyringStore]:
    """A desktop whose keyring was unlocked by signing in to it."""
    command = ("gnome-keyring-daemon", "--unlock", "--components=secrets", "--foreground")
    with running(*command, environ=os.environ, stdin="a password"):
        store = KeyringStore()
        wait_until(lambda: store.state() is KeyringState.UNLOCKED)
        yield store


def lock() -> None:
    """As a desktop does when its person goes away."""
    with secretstorage.dbus_init() as connection:
        secretstorage.get_default_collection(connection).lock()


def test_a_sign_in_is_kept_replaced_and_removed(keyring: KeyringStore) -> None:
    """With its secrets."""
    newer = SignIn(AccessToken("newer"), "https://cx.example.org", "an-id", "ann", 2)
    keyring.save("home", SIGN_IN)
    keyring.save("work", SIGN_IN)

    keyring.save("home", newer)

    assert keyring.load("home") == newer
    assert keyring.remove("home")
    assert keyring.load("home") is None
    assert not keyring.remove("home")
    assert keyring.load("work") == SIGN_IN


def test_a_locked_keyring_is_said_and_never_asks(keyring: KeyringStore) -> None:
    """A mount that starts with the session, or over SSH, has no window for a passphrase."""
    keyring.save("home", SIGN_IN)
    lock()

    with pytest.raises(CredentialsError, match="the Secret Service is locked: unlock it"):
        keyring.load("home")
    with pytest.raises(CredentialsError, match="is locked"):
        keyring.save("home", SIGN_IN)
    with pytest.raises(CredentialsError, match="is locked and may hold the token: unlock it, then cxfs logout again"):
        keyring.remove("home")


def test_while_it_is_locked_a_file_takes_over(keyring: KeyringStore, tmp_path: Path) -> None:
    """And counts after it was unlocked, being newer."""
    stores = Stores(keyring, FileStore(tmp_path / "credentials"))
    assert stores.save("home", SIGN_IN) is keyring
    lock()
    newer = SignIn(AccessToken("newer"), "https://cx.example.org", "an-id", "ann", 2)

    place = stores.save("home", newer)

    assert place.label == "file"
    found = stores.load("home")
    assert found is not None
    assert found[0] == newer


def test_a_bus_without_a_keyring_is_none(bus: None) -> None:
    """A server has a bus, too."""
    store = KeyringStore()

    assert store.state() is KeyringState.ABSENT
    assert store.load("home") is None
    with pytest.raises(CredentialsError, match="no Secret Service"):
        store.save("home", SIGN_IN)


def test_no_bus_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor is any library loaded to find that out."""
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    assert KeyringStore().state() is KeyringState.ABSENT


def test_a_bus_that_is_gone_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in a session that has ended."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/nothing")

    assert KeyringStore().state() is KeyringState.ABSENT


@pytest.mark.parametrize("address", ["tcp:host=127.0.0.1,port=1", "autolaunch:", "nonsense"])
def test_a_bus_that_cannot_be_spoken_to_is_none(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Containers and old desktops have such addresses; the private file is there for them."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)

    assert KeyringStore().state() is KeyringState.ABSENT
