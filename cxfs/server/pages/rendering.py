"""Pages from templates, with the headers that protect who looks at them. Decides nothing that a page says.

What a template is given may be a hostile string: everything is escaped, and where a policy names what a page may load,
that is this server's own style sheet and pictures.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple
from unicodedata import category

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxfs.server.errors import Refusal

PREFIX: Final = "/mycx/"

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS: Final = frozenset("\u200c\u200d")  # of letters in some scripts, and of emoji
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")

PRIVATE: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # addresses of ours hold the application's state
    "X-Content-Type-Options": "nosniff",
}
"""On every answer to a browser, redirects and downloads among them."""


class Static(NamedTuple):
    """A file of ours that is the same for everyone. Its address changes with it, so it may be kept for ever."""

    path: str
    content: bytes
    media_type: str

    @property
    def address(self) -> str:
        """As pages refer to it."""
        return f"{PREFIX}{self.path}?{hashlib.sha256(self.content).hexdigest()[:16]}"

    @property
    def response(self) -> Response:
        """It."""
        headers = PRIVATE | {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(self.content, headers=headers, media_type=self.media_type)


def _static(name: str, media_type: str) -> Static:
    return Static(name, (files(__package__) / "static" / name).read_bytes(), media_type)


STYLE: Final = _static("style.css", "text/css")
ICON: Final = _static("icon.svg", "image/svg+xml")


def page(
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    form_action: str = "",
    **facts: object,
) -> Response:
    """The page. `form_action` is one more source that its forms may lead to, redirects included."""
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        f"form-action 'self'{form_action and ' ' + form_action}; frame-ancestors 'none'; base-uri 'none'"
    )
    return Response(
        _templates.get_template(template).render(facts),
        status,
        PRIVATE | {"Content-Security-Policy": policy, "X-Frame-Options": "DENY"} | dict(headers or {}),
        "text/html",
    )


def error_page(refused: Refusal) -> Response:
    """What went wrong, for a person; it leads to nowhere but our own front page."""
    return page("error.html", status=refused.status, headers=refused.headers, session=None, message=str(refused))


def see(address: str) -> Response:
    """A redirect after which the browser asks with GET. The address is printable ASCII."""
    return Response(status_code=303, headers=PRIVATE | {"Location": address})


def shown_size(count: int) -> str:
    """Bytes for people: `1.5 GiB`."""
    if count == 1:
        return "1 byte"
    amount, unit = float(count), 0
    while amount >= 1_023.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1_024, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if not unit or amount >= 99.95 else f"{amount:.1f} {_UNITS[unit]}"


def shown_name(name: str) -> str:
    """As it is, but for characters that are not seen and make others be seen elsewhere, such as U+202E."""
    return "".join("\ufffd" if category(each) in _UNSEEN and each not in _JOINERS else each for each in name)


def _moment(milliseconds: int) -> datetime:
    """For templates, which show what they like of it."""
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)


_templates: Final = Environment(
    loader=PackageLoader(__package__),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {"size": shown_size, "name": shown_name, "moment": _moment}
_templates.globals |= {"style": STYLE.address, "icon": ICON.address}
