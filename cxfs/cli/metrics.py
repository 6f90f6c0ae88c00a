"""`cxfs metrics`: what mounts count, for Prometheus: as text, or at a port of this machine while it is asked for."""

from __future__ import annotations

import click

from cxfs.cli import arguments, exposition, which
from cxfs.cli.exits import Exit
from cxfs.cli.status import standing_of


@click.command("metrics", short_help="Print what mounts count, for Prometheus.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Serve it at 127.0.0.1:PORT/metrics until Ctrl-C.")
@arguments.mount_argument
def command(mount: str | None, port: int | None) -> int:
    """Print what the mount that a path or a profile names counts, or all of them, in Prometheus' text format.

    For node_exporter's textfile collector, or with --port for Prometheus itself.
    """

    def scrape() -> str:
        return exposition.text([_sample(each) for each in ([which.named(mount)] if mount else which.running())])

    if port is not None:
        from cxfs.cli.scraping import serve

        serve(port, scrape, on_ready=lambda url: click.echo(f"{url}; Ctrl-C ends it", err=True))
        return Exit.OK
    told = scrape()
    click.echo(told, nl=False)
    return Exit.OK if told else Exit.NOT_MOUNTED


def _sample(mount: which.ChosenMount) -> exposition.Sample:
    standing = standing_of(mount)
    return exposition.Sample(standing.profile, standing.mountpoint, standing.state == "online", standing.answer)
