"""`cxfs metrics`: what mounts count, for Prometheus: as text, or at a port of this machine while it is asked for."""

from __future__ import annotations

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Final

import click

from cxfs.cli import arguments, exposition, which
from cxfs.cli.exits import Exit
from cxfs.cli.status import standing_of

if TYPE_CHECKING:
    from collections.abc import Callable

HOST: Final = "127.0.0.1"
"""Whoever else is to see it has a proxy for that: paths of mounts are nobody's business."""

PATHS: Final = ("/", "/metrics")

CLIENT_S: Final = 5.0
"""For one scrape: the next one waits behind it."""


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
        serve(port, scrape, on_ready=lambda at: click.echo(f"http://{HOST}:{at}/metrics; Ctrl-C ends it", err=True))
        return Exit.OK
    told = scrape()
    click.echo(told, nl=False)
    return Exit.OK if told else Exit.NOT_MOUNTED


def _sample(mount: which.ChosenMount) -> exposition.Sample:
    standing = standing_of(mount)
    return exposition.Sample(standing.profile, standing.mountpoint, standing.state == "online", standing.answer)


def serve(port: int, scrape: Callable[[], str], *, on_ready: Callable[[int], None]) -> None:
    """Answers one scrape after the other, until interrupted; `on_ready` hears the port. OSError: it is taken."""

    class Scraped(BaseHTTPRequestHandler):
        timeout = CLIENT_S

        def do_GET(self) -> None:
            body = scrape().encode() if self.path in PATHS else b""
            self.send_response(HTTPStatus.OK if self.path in PATHS else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Type", exposition.CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """No line for each scrape."""

    with HTTPServer((HOST, port), Scraped) as server:
        on_ready(server.server_port)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
