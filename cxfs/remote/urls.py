"""Where a CX service is: its three hosts, checked once. Builds no request and holds no token."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from cxfs.core.errors import Misconfigured

URL_CHARACTERS_MAX: Final = 2_000
"""Of a configured URL: a host and perhaps a folder, never a document."""


class BadServiceUrl(Misconfigured, ValueError):
    """A configured URL that must not be used; the message is one line and says why."""


@dataclass(frozen=True, slots=True)
class ServiceUrls:
    """The api, data and authorization hosts [doc], without a slash at the end."""

    api: str
    data: str
    auth: str

    @classmethod
    def parse(cls, *, api_url: str, data_url: str, auth_url: str, allow_http: bool = False) -> ServiceUrls:
        """Raises BadServiceUrl. Plain http passes for a loopback address only, and only with `allow_http`."""
        return cls(
            api=checked("api_url", api_url, allow_http=allow_http),
            data=checked("data_url", data_url, allow_http=allow_http),
            auth=checked("auth_url", auth_url, allow_http=allow_http),
        )

    @property
    def on_this_machine(self) -> bool:
        """Whether api and data are loopback addresses, which no proxy can reach."""
        return all(is_loopback(urlsplit(url).hostname or "") for url in (self.api, self.data))


def is_loopback(host: str) -> bool:
    """Whether packets to it never leave this machine. A name other than `localhost` is not believed."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked(key: str, url: str, *, allow_http: bool) -> str:
    """One of the hosts, without a slash at the end. Raises BadServiceUrl, which names the `key` it stands under."""
    parts = _split(key, url)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise BadServiceUrl(f"{key} has to look like https://HOST")
    if parts.username is not None or parts.password is not None:
        raise BadServiceUrl(f"{key} must not hold a user or password")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise BadServiceUrl(f"{key} must end before any '?' or '#'")
    if parts.scheme == "http" and not (allow_http and is_loopback(parts.hostname)):
        raise BadServiceUrl(f"{key} has to begin with https:// (plain http is for loopback with allow_http only)")
    return url.rstrip("/")


def _split(key: str, url: str) -> SplitResult:
    """Parsed; the message of a failure never repeats the URL, which might hold a password."""
    if len(url) > URL_CHARACTERS_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise BadServiceUrl(f"{key} is not a URL of printable ASCII characters")
    try:
        parts = urlsplit(url)
        _ = parts.port  # parsed on access
    except ValueError:
        raise BadServiceUrl(f"{key} is not a URL") from None
    return parts
