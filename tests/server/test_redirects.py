"""Where a browser may be sent back to."""

from __future__ import annotations

import pytest

from cxfs.server import redirects
from cxfs.server.errors import ServerError
from cxfs.server.redirects import LOOPBACK_URIS

BACK = "https://photos.example.org/back"


@pytest.mark.parametrize(
    ("uri", "registered"),
    [
        (BACK, [BACK]),
        (f"{BACK}?a=b", ["https://other.example/", f"{BACK}?a=b"]),
        ("https://127.0.0.1/", LOOPBACK_URIS),
        ("https://127.0.0.1:43123/", LOOPBACK_URIS),
        ("https://localhost:1/", LOOPBACK_URIS),
        ("https://[::1]:65535/", LOOPBACK_URIS),
        ("https://127.0.0.1:2/back?x=y", ["https://127.0.0.1:1/back?x=y"]),
        ("https://127.0.0.1/back", ["https://127.0.0.1:1/back"]),
    ],
)
def test_a_registered_uri_is_taken_by_the_letter_and_loopback_with_any_port(uri: str, registered: list[str]) -> None:
    """RFC 8252, 7.3: the system gives a program its port when it begins to listen."""
    assert redirects.is_registered(uri, registered)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://photos.example.org/",
        "https://photos.example.org/back/",
        "https://photos.example.org/back?a=b",
        "https://photos.example.org:443/back",
        "https://PHOTOS.example.org/back",
        "http://photos.example.org/back",
        "https://photos.example.org/back#x",
        "https://photos.example.org.evil.example/back",
        "https://photos.example.org@evil.example/back",
        "https://evil.example/https://photos.example.org/back",
        " https://photos.example.org/back",
        "https://photos.example.org/back\n",
        "https://127.0.0.1:1/other",
        "https://127.0.0.1:1",
        "https://127.0.0.1:1/?x=y",
        "https://127.0.0.1:1/../",
        "https://127.0.0.1:1:2/",
        "https://127.0.0.1:x/",
        "https://127.0.0.1:/",
        "https://127.0.0.1:123456/",
        "https://127.0.0.1:٣/",
        "https://127.0.0.1@evil.example/",
        "https://127.0.0.1:80@evil.example/",
        "https://127.0.0.1.evil.example/",
        "https://127.0.0.1\\@evil.example/",
        "https://evil.example\\@127.0.0.1/",
        "https://127.0.0.2/",
        "https://LOCALHOST:1/",
        "https://[::2]/",
        "http://127.0.0.1:1/",
    ],
)
def test_what_only_looks_like_it_is_not_registered(uri: str) -> None:
    """A code that goes elsewhere is somebody else's access."""
    assert not redirects.is_registered(uri, [BACK, *LOOPBACK_URIS])


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_a_port_that_cannot_be_is_not_registered(port: str) -> None:
    """There is nobody at it."""
    assert not redirects.is_registered(f"https://127.0.0.1:{port}/", LOOPBACK_URIS)


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("https://a.example", "https://a.example?auth_code=c&state=s%26%20%C3%A9"),
        ("https://a.example/", "https://a.example/?auth_code=c&state=s%26%20%C3%A9"),
        ("https://a.example/?b=c", "https://a.example/?b=c&auth_code=c&state=s%26%20%C3%A9"),
        ("https://a.example/?", "https://a.example/?auth_code=c&state=s%26%20%C3%A9"),
        ("https://a.example/?b&", "https://a.example/?b&auth_code=c&state=s%26%20%C3%A9"),
    ],
)
def test_the_answer_is_added_to_a_query_that_is_there(uri: str, address: str) -> None:
    """RFC 6749, 3.1.2: it must be kept."""
    assert redirects.with_answer(uri, {"auth_code": "c", "state": "s& é"}) == address


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://a.example:8443/back?x", "https://a.example:8443"),
        ("https://127.0.0.1:9/", "https://127.0.0.1:9"),
        ("https://[::1]:9/", "https:"),
    ],
)
def test_a_policy_names_where_the_form_leads(uri: str, source: str) -> None:
    """An IPv6 address cannot stand in one."""
    assert redirects.form_action(uri) == source


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://a.example/",
        "https://",
        "https:///x",
        "https://a.example/#x",
        "https://user@a.example/",
        "https://a.example\\b",
        "https://a.example/a b",
        "https://a.example/é",
        "https://é.example/",
        "https://a..example/",
        "https://a.example:0/",
        "https://a.example:65536/",
        "https://a.example/;\n",
        "https://a.example; script-src */",
        "javascript:alert(1)",
        "https://a.example/" + "x" * 2_000,
    ],
)
def test_only_a_plain_https_address_can_be_registered(uri: str) -> None:
    """One that every parser of addresses reads alike."""
    with pytest.raises(ServerError, match="a redirect URI is an https URL"):
        redirects.check_redirect_uri(uri)


@pytest.mark.parametrize("uri", [BACK, "https://a.example", "https://[2001:db8::1]:8443/x?y=%20", *LOOPBACK_URIS])
def test_a_plain_https_address_can_be_registered(uri: str) -> None:
    """With port, path and query."""
    redirects.check_redirect_uri(uri)
