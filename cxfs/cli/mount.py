"""`cxfs mount`: checks what can be checked before, then becomes the daemon. Serves no request itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from cxfs import config
from cxfs.cli import arguments, bars, logs, profiles, signals
from cxfs.cli.exits import Exit
from cxfs.cli.words import (
    COUNT,
    DEADLINE,
    PATTERNS,
    PLACE,
    SECONDS,
    SIZE,
    SYNC,
    MountWords,
    parse_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.cli.profiles import Access


@click.command("mount", short_help="Mount an account at a folder.")
@arguments.profile_option
@click.option("-f", "--foreground", is_flag=True, help="Stay in the terminal; Ctrl-C unmounts.")
@click.option(
    "-o", "texts", multiple=True, metavar="OPTIONS", help="Options as in fstab: ro,uid=…,umask=…,allow_other,…"
)
@click.option("--metadata-ttl", "metadata_ttl_s", type=SECONDS, help="How long names and sizes are believed (30).")
@click.option("--negative-ttl", "negative_ttl_s", type=SECONDS, help="How long an absent name is believed absent (5).")
@click.option(
    "--feed-ttl", "feed_ttl_s", type=SECONDS, help="And where the server tells of each change (600; 0: do not listen)."
)
@click.option("--metadata-deadline", "metadata_deadline_s", type=DEADLINE, help="The longest wait for names (10).")
@click.option("--data-deadline", "data_deadline_s", type=DEADLINE, help="And for content that does not come (60).")
@click.option("--cache-size", "cache_bytes_max", type=SIZE, help="Disk for what was read (10G).")
@click.option("--uploads", "uploads_max", type=COUNT, help="Uploads at a time (8).")
@click.option("--drain-timeout", "drain_timeout_s", type=SECONDS, help="How long unmounting waits for uploads (60).")
@click.option("--groups/--no-groups", default=None, help="Show the account's groups in the folder Groups (shown).")
@click.option("--local-only", type=PATTERNS, help="Names of new files that stay here, A:B:… (swap and lock files).")
@click.option(
    "--notifications/--no-notifications", default=None, help="Tell the desktop of what needs a person (told)."
)
@click.option("--versions/--no-versions", default=None, help="Former versions in the folder .versions (none).")
@click.option("--sync", "sync_remote", type=SYNC, help="Whether fsync and close wait for the server (local).")
@click.option("--log-level", type=click.Choice(logs.LEVELS), default="info", show_default=True)
@click.option("--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Instead of the profile's cxfs.log.")
@click.argument("mountpoint", type=PLACE, required=False)
def command(
    profile_name: str | None,
    texts: tuple[str, ...],
    mountpoint: Path | None,
    log_level: str,
    log_file: Path | None,
    *,
    foreground: bool,
    **flags: Any,
) -> int:
    """Mount the account of a profile at the folder MOUNTPOINT, or at the `mountpoint` that its profile names.

    What the profile says under `options` holds too. Returns when the mount answers; its log is
    $XDG_STATE_HOME/cxfs/PROFILE/cxfs.log. A dead mount left there by a crash is cleared first.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    profile = profiles.chosen(profile_name)
    # The flags are named like the fields.
    words = cast("MountWords", {**_words_of(profile), **parse_words(texts), **given})
    mountpoint = _prepared(mountpoint or _own_mountpoint(profile), words)
    access = profiles.access_to(profile)
    if log_file is None and not foreground:
        log_file = config.state_folder(profile) / "cxfs.log"
    log_file = log_file and log_file.absolute()
    serve = _service(
        profile,
        access,
        mountpoint,
        words,
        configure=lambda: logs.configure(log_level, log_file, access.known_secrets),
    )
    if foreground:
        with signals.orderly():
            return serve(lambda: click.echo(f"{profile.name} is mounted at {mountpoint}; Ctrl-C unmounts", err=True))
    from cxfs.cli.background import run_in_background

    assert log_file is not None
    run_in_background(serve, log_file=log_file)
    return Exit.OK


def _words_of(profile: config.Profile) -> MountWords:
    """The options that stand in the configuration; raises ConfigError."""
    try:
        return parse_words([profile.options or ""])
    except click.UsageError as error:
        raise config.ConfigError(
            f"{config.config_file()}: profiles.{profile.name}.options: {error.format_message()}"
        ) from None


def _own_mountpoint(profile: config.Profile) -> Path:
    """Made where it is missing, since somebody has decided on it; raises click.UsageError where nobody has."""
    if profile.mountpoint is None:
        raise click.UsageError(
            f"Missing argument 'MOUNTPOINT', and [profiles.{profile.name}] of {config.config_file()} names none"
        )
    from cxfs.fuse import mounting

    mountpoint = mounting.resolved(profile.mountpoint)
    # A dead mount looks as if nothing were there; it is cleared later.
    if mounting.mounted_at(mountpoint) is None and not os.path.lexists(mountpoint):
        mounting.make_mount_point(mountpoint)
    return mountpoint


def _prepared(mountpoint: Path, words: MountWords) -> Path:
    """The mount point, absolute and fit to be mounted on, on a machine that can mount."""
    from cxfs.fuse import mounting

    mountpoint = mounting.resolved(mountpoint)
    if mounting.prepare_mount_point(mountpoint):
        click.echo(f"cxfs: {mountpoint} is not empty: what it holds is hidden while mounted", err=True)
    mounting.check_machine(allow_other=words.get("allow_other", False))
    return mountpoint


def _service(
    profile: config.Profile, access: Access, mountpoint: Path, words: MountWords, *, configure: Callable[[], None]
) -> Callable[[Callable[[], None]], int]:
    """What the daemon does with its life; its result is the exit status."""

    def serve(on_ready: Callable[[], None]) -> int:
        from cxfs import daemon
        from cxfs.mount_options import MountOptions

        configure()
        settings = daemon.MountSettings(
            profile=profile,
            token=access.token,
            mountpoint=mountpoint,
            cache_folder=config.cache_folder(profile),
            state_folder=config.state_folder(profile),
            options=MountOptions(**words),
            source=access.source,
            client_id=access.client_id,
            known_secrets=access.known_secrets,
        )
        explained = profiles.refusal_explained(access.source)
        with profiles.absence_explained(profile), explained, bars.draining() as on_drain:
            left = daemon.run(settings, on_ready=on_ready, on_drain=on_drain)
        if left.count:
            click.echo(f"cxfs: {left}; the next mount of {profile.name} resumes them", err=True)
        return Exit.UPLOADS_LEFT if left.count else Exit.OK

    return serve
