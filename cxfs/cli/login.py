"""`cxfs login`: asks and shows what signing in needs a person for. The steps themselves are `signin`'s.

Never asks for the CX password: that is typed at the service's own page and nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cxfs import config
from cxfs.cli import arguments, authorities, profiles
from cxfs.cli.exits import Exit, Refusal
from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxfs.config import Config, Profile
    from cxfs.credentials import SignIn
    from cxfs.signin import Application, Invitation

CLIENT_ID: Final = "CXFS_CLIENT_ID"
CLIENT_SECRET: Final = "CXFS_CLIENT_SECRET"  # noqa: S105 - a variable's name


@click.command("login", short_help="Sign in to an account with the browser.")
@arguments.profile_option
@click.option("--server", metavar="URL", help="The service, for a new profile: https://cx.example.org:8443")
@click.option("--client-id", metavar="ID", help=f"How cxfs is registered there. Its secret: {CLIENT_SECRET}, or asked.")
@click.option(
    "--client-file", type=click.Path(dir_okay=False, path_type=Path), help="Both, from `serve … app add --to`."
)
@click.option("--redirect-uri", metavar="URI", help="As registered, where that is not https://127.0.0.1/")
@click.option("--no-browser", is_flag=True, help="Show the address and take the answer by paste, as over SSH.")
@click.option("--ca-fingerprint", metavar="SHA256", help="Trust the server's own authority if this is its fingerprint.")
@click.option("--store", type=click.Choice(["keyring", "file"]), help="Where the token is kept (the keyring, if any).")
def command(
    profile_name: str | None,
    server: str | None,
    client_id: str | None,
    client_file: Path | None,
    redirect_uri: str | None,
    ca_fingerprint: str | None,
    store: str | None,
    *,
    no_browser: bool,
) -> None:
    """Sign in to the account of a profile: in the browser, once.

    With --server the profile is made if it is not there. Over SSH, or where there is no screen, the address is shown
    for a browser elsewhere.
    """
    profile = _profile(profile_name, server, ca_fingerprint)
    former = _former(profile)
    application = _application(profile, client_id, client_file, former)
    sign_in = _signed_in(profile, application, redirect_uri, no_browser=no_browser or not _has_screen(os.environ))
    place = profiles.stores().save(profile.name, sign_in, label=store)
    click.echo(
        f"{profile.name} is signed in as {sign_in.account_name or sign_in.account_id}; the token is in {place.name}"
    )
    first = profiles.source_of(profile).before_sign_in
    if first is not None:
        click.echo(f"cxfs: but {profile.name} goes by {first}, which comes first", err=True)
    if former is not None and former.account_id != sign_in.account_id:
        click.echo(f"cxfs: before, it was {former.account_name or former.account_id}", err=True)


def _profile(name: str | None, server: str | None, fingerprint: str | None) -> Profile:
    """The profile, made or completed in the configuration once its server has answered and is trusted."""
    found = config.load()
    name = found.name_of(name)
    values = {} if server is None else _values_for(found, name, server)
    profile = config.edited(found, name, values).profile if values else found.profile(name)
    authority = authorities.agreed(profile, fingerprint)
    if authority is not None:
        values["ca_file"] = str(authority)
    if not values:
        return profile
    edited = config.edited(found, name, values)
    edited.write()
    return edited.profile


def _values_for(found: Config, name: str, server: str) -> dict[str, str | bool]:
    """What the profile lacks to be one of this server."""
    address = (server if "://" in server else f"https://{server}").rstrip("/")
    if name not in found.profiles:
        return {"api_url": address, **({"allow_http": True} if address.startswith("http://") else {})}
    there = found.profiles[name].api_url
    if there != address:
        raise Refusal(Exit.CONFIG, f"the profile {name} is of {there}: name another one with --profile for {address}")
    return {}


def _former(profile: Profile) -> SignIn | None:
    """What an earlier sign-in left: the application need not be named again."""
    with contextlib.suppress(CxfsError):
        kept = profiles.stores().load(profile.name)
        if kept is not None and kept[0].api_url == profile.api_url:
            return kept[0]
    return None


# ------------------------------------------------------------------------------------------------ the application


def _application(
    profile: Profile, client_id: str | None, client_file: Path | None, former: SignIn | None
) -> Application:
    """How cxfs is registered: as the command line says, else the environment, the earlier sign-in, or by asking."""
    from cxfs.signin import Application

    if client_file is not None:
        return _application_in(client_file)
    client_id = client_id or os.environ.get(CLIENT_ID)
    if client_id is None and former is not None and former.client_id and former.client_secret:
        return Application(former.client_id, former.client_secret.reveal())
    client_id = client_id or profile.client_id or _asked("Client id", hidden=False)
    return _registered(client_id, os.environ.get(CLIENT_SECRET) or _asked("Client secret", hidden=True))


def _registered(client_id: str, secret: str) -> Application:
    """Looked at before the person is sent to a browser for it. Raises CredentialsError."""
    from cxfs.credentials import ClientSecret
    from cxfs.signin import Application

    return Application(client_id, ClientSecret.parse(secret, "the client secret").reveal())


def _application_in(file: Path) -> Application:
    """`client_id` and `client_secret` of a TOML file that nobody else can read."""
    from cxfs.credentials import private_files

    text = private_files.read(file)
    with contextlib.suppress(ValueError, RecursionError):  # not TOML, a number without end, or a nest
        words = tomllib.loads(text)
        client_id, secret = words.get("client_id"), words.get("client_secret")
        if isinstance(client_id, str) and isinstance(secret, str) and client_id:
            return _registered(client_id, secret)
    raise Refusal(Exit.CONFIG, f'{file}: expected client_id = "…" and client_secret = "…" in it')


def _asked(what: str, *, hidden: bool) -> str:
    if not _somebody_types():
        raise Refusal(Exit.USAGE, f"{what.lower()} unknown: give --client-file, or set {CLIENT_ID} and {CLIENT_SECRET}")
    return str(click.prompt(what, hide_input=hidden, err=True)).strip()


# ------------------------------------------------------------------------------------------------ the browser


def _signed_in(profile: Profile, application: Application, redirect_uri: str | None, *, no_browser: bool) -> SignIn:
    from cxfs import signin

    redirect = signin.Redirect.parse(redirect_uri or profile.redirect_uri or signin.REDIRECT_URI)
    listening = redirect.is_here and not no_browser
    if not listening and sys.stdin is None:
        raise Refusal(Exit.USAGE, "standard input is closed, so nobody could paste the answer of the sign-in page")
    with profiles.absence_explained(profile):
        return signin.sign_in(
            profile,
            application,
            redirect,
            listening=listening,
            paste_from=None if listening and not _somebody_types() else sys.stdin.fileno(),
            show=_open_and_show if listening else _show_for_elsewhere,
        )


def _somebody_types() -> bool:
    """Whether standard input is a terminal; it may be closed, too."""
    return sys.stdin is not None and sys.stdin.isatty()


def _open_and_show(invitation: Invitation) -> None:
    import webbrowser

    click.echo(
        f"Opening the browser; agree there. If it does not open, this is the address:\n\n  {invitation.address}\n",
        err=True,
    )
    click.echo(
        f"It comes back to {invitation.redirect_uri} on this machine, whose certificate was made just now, so the "
        f"browser warns of it.\nGo on if its SHA-256 fingerprint is\n\n  {invitation.fingerprint}\n"
        + ("\nor paste the address that the browser shows then here." if _somebody_types() else ""),
        err=True,
    )
    # A text browser would keep us from listening, and one that hangs from ending.
    threading.Thread(target=webbrowser.open, args=(invitation.address,), daemon=True).start()


def _show_for_elsewhere(invitation: Invitation) -> None:
    click.echo(
        f"Open this address in a browser, on any machine, and agree there:\n\n  {invitation.address}\n\n"
        f"The browser is then sent to an address that begins with {invitation.redirect_uri} (and may say that it\n"
        "cannot be reached). Copy that whole address from its address bar and paste it here:",
        err=True,
    )


def _has_screen(environ: Mapping[str, str]) -> bool:
    """Whether a browser opened from here would be seen by whoever types here."""
    over_ssh = environ.get("SSH_CONNECTION") or environ.get("SSH_TTY")
    return not over_ssh and bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))
