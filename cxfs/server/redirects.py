"""Where a browser is sent back to after consent, and whether it may be. Pure; follows no link.

A registered URI is taken by the letter. One on the loopback address is taken with any port, because a program that
listens there is given the port by the system (RFC 8252, 7.3).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, urlencode

from cxfs.server.errors import ServerError
from cxfs.server.limits import REDIRECT_URI_CHARACTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOOPBACK_URIS: Final = ("https://127.0.0.1/", "https://localhost/", "https://[::1]/")
"""For an application that is a program on the user's machine and listens there for the answer."""

_LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
# What all parsers of URLs read alike: no user information, no backslash, no control character, no fragment.
_URI: Final = re.compile(
    r"https://(?P<host>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>(?:[/?][A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?)",
    re.ASCII,
)


class _Uri(NamedTuple):
    """`port` begins with its colon, or is empty."""

    host: str
    port: str
    rest: str


def check_redirect_uri(uri: str) -> None:
    """Raises ServerError for one that cannot be registered."""
    if _parsed(uri) is None or len(uri) > REDIRECT_URI_CHARACTERS_MAX:
        raise ServerError(f"a redirect URI is an https URL without a fragment, not {uri!r}")


def is_registered(uri: str, registered: Iterable[str]) -> bool:
    """Whether a browser may be sent there."""
    registered = tuple(registered)
    if uri in registered:
        return True
    local = _without_port(uri)
    return local is not None and local in map(_without_port, registered)


def host_of(uri: str) -> str:
    """Host and port of a registered URI, as a person should see them before agreeing."""
    parsed = _parsed(uri)
    assert parsed is not None
    return parsed.host + parsed.port


def is_on_this_machine(uri: str) -> bool:
    """Whether the answer goes to a program on the machine of the browser."""
    return _without_port(uri) is not None


def with_answer(uri: str, answer: Mapping[str, str]) -> str:
    """The address to send the browser to; a query that the URI has stays."""
    mark = "" if uri.endswith(("?", "&")) else "&" if "?" in uri else "?"
    return uri + mark + urlencode(answer, quote_via=quote)


def form_action(uri: str) -> str:
    """The source that a Content-Security-Policy has to name, or the redirect after a form is blocked.

    A policy cannot name an IPv6 address (CSP 3, 2.3.1: `host-char`), so there all of https is named.
    """
    host = host_of(uri)
    return "https:" if host.startswith("[") else f"https://{host}"


def _without_port(uri: str) -> tuple[str, str] | None:
    """Host and what follows the port of an https URI on the loopback address; None for any other."""
    parsed = _parsed(uri)
    return None if parsed is None or parsed.host not in _LOOPBACK_HOSTS else (parsed.host, parsed.rest)


def _parsed(uri: str) -> _Uri | None:
    match = _URI.fullmatch(uri)
    if match is None or not 0 < int(match["port"] or 443) < 65_536:
        return None
    return _Uri(match["host"], f":{match['port']}" if match["port"] else "", match["rest"])
