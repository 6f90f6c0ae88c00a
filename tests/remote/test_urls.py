"""Which hosts a token may be sent to."""

from __future__ import annotations

import pytest

from cxfs.core.errors import CxfsError
from cxfs.remote.urls import BadServiceUrl, ServiceUrls, is_loopback


def parse(url: str, *, allow_http: bool = False) -> ServiceUrls:
    return ServiceUrls.parse(
        api_url=url, data_url="https://data.cx.com", auth_url="https://www.cx.com", allow_http=allow_http
    )


@pytest.mark.parametrize("url", ["https://api.cx.com", "https://h:8443", "https://[::1]:1", "https://h/behind/a/proxy"])
def test_an_https_url_is_taken_as_it_is(url: str) -> None:
    """The documented hosts, and anyone's own server."""
    assert parse(url).api == url


def test_a_slash_at_the_end_is_dropped() -> None:
    """People write it; requests bring their own."""
    assert parse("https://api.cx.com/").api == "https://api.cx.com"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost:8000"])
def test_plain_http_is_for_loopback_and_only_when_allowed(url: str) -> None:
    """Everything goes over TLS, says the documentation; on one's own machine there is nobody to listen."""
    assert parse(url, allow_http=True).api == url
    with pytest.raises(BadServiceUrl, match="api_url has to begin with https://"):
        parse(url)


@pytest.mark.parametrize(
    "url", ["http://api.cx.com", "http://192.168.0.5", "http://127.0.0.1.cx.com", "http://0.0.0.0"]
)
def test_plain_http_to_another_machine_is_refused_always(url: str) -> None:
    """The token would travel readable."""
    with pytest.raises(BadServiceUrl):
        parse(url, allow_http=True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.cx.com",
        "ftp://api.cx.com",
        "https://",
        "https:///path",
        "https://user:hunter2@api.cx.com",
        "https://api.cx.com?access_token=hunter2",
        "https://api.cx.com#hunter2",
        "https://api.cx.com:hunter2",
        "https://api.cx.com/ hunter2",
        "https://api.cx.com/\nhunter2",
        "https://äpi.cx.com/hunter2",
        "https://[hunter2",
        "https://api.cx.com/" + "hunter2" * 1_000,
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_one_line_without_repeating_it(url: str) -> None:
    """It may hold a password, and the message goes to a terminal."""
    with pytest.raises(BadServiceUrl) as refused:
        parse(url)

    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_refusal_is_one_of_our_errors() -> None:
    """The command line prints those in one line."""
    assert issubclass(BadServiceUrl, CxfsError)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_known(host: str) -> None:
    """Packets to it stay on this machine."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.cx.com", "example.com", "10.0.0.1", "0.0.0.0", "::", "", "127.1"])
def test_other_names_are_not_believed_to_be_loopback(host: str) -> None:
    """A name is whatever a resolver says."""
    assert not is_loopback(host)
