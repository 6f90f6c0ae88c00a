"""A port of this machine at which Prometheus asks for what mounts count, for as long as the command runs."""

from __future__ import annotations

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Final

from cxfs.cli import exposition

if TYPE_CHECKING:
    from collections.abc import Callable

HOST: Final = "127.0.0.1"
"""Whoever else is to see it has a proxy for that: paths of mounts are nobody's business."""

PATHS: Final = ("/", "/metrics")

CLIENT_S: Final = 5.0
"""For one scrape: the next one waits behind it."""


def serve(port: int, scrape: Callable[[], str], *, on_ready: Callable[[str], None]) -> None:
    """Answers one scrape after the other, until interrupted; `on_ready` hears where. OSError: it is taken."""

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
        on_ready(f"http://{HOST}:{server.server_port}/metrics")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
