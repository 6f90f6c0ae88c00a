"""No secret in any log line or error text."""

from __future__ import annotations

import io
import logging
import traceback
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given, strategies as st

from cxfs.core.entries import TreePath
from cxfs.core.errors import CxfsError
from cxfs.remote.files import Files
from cxfs.remote.redaction import HIDDEN, RedactingFilter, guard, redact
from cxfs.remote.session import open_session
from tests.remote.fake_cx import TOKEN, FakeCx, ok, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from cxfs.remote.urls import ServiceUrls

SECRET = "Ab3-_s3cr3t.~xyz"
ENCODED_TOKEN = "tok-53cr3t%2F%2B%3D"


@pytest.mark.parametrize(
    "text",
    [
        f"https://api.cx.com/1/users/self?access_token={SECRET}",
        f"https://api.cx.com/1/users/self?access_token={SECRET}&client_id=me",
        f"GET /1/users/self?client_id=me&access_token={SECRET} HTTP/1.1",
        f"client_secret={SECRET}&grant_type=authorization_code",
        f"grant_type=authorization_code&code={SECRET}&redirect_uri=x",
        f"https://example.com/back?code={SECRET}",
        f"https://example.com/back?auth_code={SECRET}",
        f'{{"return_type": "json", "access_token": "{SECRET}"}}',
        f'{{"code":"{SECRET}"}}',
        f"{{'access_token': '{SECRET}'}}",
        f"[('access_token', '{SECRET}')]",
        f"[(b'access_token', b'{SECRET}')]",
        f'"{{\\"access_token\\": \\"{SECRET}\\"}}"',
        f"Authorization: Basic {SECRET}",
        f"authorization: bearer {SECRET}",
        f"[(b'Authorization', b'Basic {SECRET}')]",
        f"headers {{'authorization': 'Bearer {SECRET}'}}",
        f"sent Bearer {SECRET} along",
        f"ACCESS_TOKEN={SECRET}",
        f"access_token = {SECRET}",
    ],
)
def test_a_credential_is_hidden_wherever_it_stands(text: str) -> None:
    """In a URL, a form, JSON, a header or what Python prints of them."""
    assert SECRET not in redact(text)
    assert HIDDEN in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "exit code=1",
        "status code: 200",
        "error code 5",
        "status_code=404",
        "a basic idea",
        "the bearer of this",
        "https://api.cx.com/1/files/list/self:%2F?offset=0&limit=1000",
        "no access token",
    ],
)
def test_what_is_no_credential_stays_readable(text: str) -> None:
    """A log that hides too much is switched off."""
    assert redact(text) == text


def test_what_stands_around_a_credential_stays() -> None:
    """Which call it was is what a log is for."""
    redacted = redact(f"GET /1/files/list/self:%2F?access_token={SECRET}&limit=5 -> 200")

    assert redacted == f"GET /1/files/list/self:%2F?access_token={HIDDEN}&limit=5 -> 200"


@given(st.text())
def test_redacting_twice_is_redacting_once(text: str) -> None:
    """Records pass one filter for every handler."""
    assert redact(redact(text)) == redact(text)


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(written: io.StringIO) -> Iterator[logging.Logger]:
    """The root logger at DEBUG, with one guarded handler."""
    root = logging.getLogger()
    level, handler = root.level, logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    guard([handler])
    yield logging.getLogger("cxfs.test")
    root.removeHandler(handler)
    root.setLevel(level)


def test_a_token_in_a_message_is_not_written(logger: logging.Logger, written: io.StringIO) -> None:
    """Somebody will write such a line one day."""
    logger.debug(f"asking /1/users/self?access_token={SECRET}")  # noqa: G004 - the mistake under test

    assert written.getvalue() == f"cxfs.test DEBUG asking /1/users/self?access_token={HIDDEN}\n"


def test_a_token_in_an_argument_is_not_written(logger: logging.Logger, written: io.StringIO) -> None:
    """Arguments join the message only when it is written."""
    logger.debug("asking %s", httpx.URL(f"https://h/?access_token={SECRET}"))

    assert SECRET not in written.getvalue()


def fail_with_a_secret_cause() -> None:
    try:
        httpx.URL(f"https://h:access_token={SECRET}/")
    except httpx.InvalidURL as error:
        raise KeyError(f"client_secret={SECRET}") from error


@pytest.mark.promise
def test_a_token_in_a_traceback_is_not_written(logger: logging.Logger, written: io.StringIO) -> None:
    """The access token stands in no log line and in no traceback."""
    try:
        fail_with_a_secret_cause()
    except KeyError:
        logger.exception("it failed")

    assert "Traceback" in written.getvalue()
    assert "InvalidURL" in written.getvalue()
    assert SECRET not in written.getvalue()


def test_a_token_in_a_stack_is_not_written() -> None:
    """`stack_info` shows source lines, with whatever stands in them."""
    record = logging.LogRecord("cxfs", logging.ERROR, __file__, 1, "here", (), None)
    record.stack_info = f"Stack:\n  get('?access_token={SECRET}')"

    RedactingFilter().filter(record)

    assert record.stack_info == f"Stack:\n  get('?access_token={HIDDEN}')"


def test_arguments_that_do_not_fit_are_written_all_the_same(logger: logging.Logger, written: io.StringIO) -> None:
    """A mistake in a log call must not hide what happened."""
    logger.warning("%d files", "many")

    assert "%d files" in written.getvalue()
    assert "many" in written.getvalue()


def test_an_exception_is_given_to_no_handler_as_an_object() -> None:
    """A handler that draws local variables would draw the URL."""
    failure = ValueError(f"access_token={SECRET}")
    record = logging.LogRecord("cxfs", logging.ERROR, __file__, 1, "no", (), (ValueError, failure, None))

    RedactingFilter().filter(record)

    assert (record.exc_info, record.exc_text) == (None, f"ValueError: access_token={HIDDEN}")


def test_a_handler_is_guarded_once(written: io.StringIO) -> None:
    """A program may set up its logs more than once."""
    handler = logging.StreamHandler(written)

    guard([handler])
    guard([handler])

    assert len(handler.filters) == 1


@pytest.mark.parametrize("name", ["httpx", "httpcore", "httpcore.http11", "httpcore.connection"])
def test_the_http_libraries_keep_quiet_even_in_debug(logger: logging.Logger, name: str) -> None:
    """They write whole URLs at INFO and headers at DEBUG."""
    assert not logging.getLogger(name).isEnabledFor(logging.INFO)


@pytest.fixture
async def files(cx: FakeCx, urls: ServiceUrls) -> AsyncIterator[Files]:
    async with open_session(urls, lambda: TOKEN, client_id="me", transport=cx, jitter=lambda: 0.5) as session:
        yield Files(session)


FAILURES: list[Exception | httpx.Response] = [
    httpx.ConnectError(f"cannot connect to /?access_token={ENCODED_TOKEN}"),
    httpx.ReadTimeout("too slow"),
    httpx.RemoteProtocolError("server disconnected"),
    httpx.DecodingError("not gzip"),
    refusal(500, "Internal", f"GET /1/files?access_token={ENCODED_TOKEN} failed"),
    refusal(404, "NotFound", f"no /?access_token={TOKEN} here"),
    httpx.Response(302, headers={"Location": f"https://evil.test/?access_token={ENCODED_TOKEN}"}),
    httpx.Response(200, text="<html>"),
    ok(id=f"access_token={TOKEN}"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.promise
async def test_no_failure_carries_the_token(
    cx: FakeCx,
    files: Files,
    failure: Exception | httpx.Response,
    logger: logging.Logger,
    written: io.StringIO,
    autojump_clock: object,
) -> None:
    """The access token stands in no error text, though it stands in every URL."""
    cx.answers(failure)

    with pytest.raises(CxfsError) as failed:
        await files.entry(TreePath.parse("self:/a"))

    logger.error("failed", exc_info=failed.value)
    everything = written.getvalue() + str(failed.value) + "".join(traceback.format_exception(failed.value))
    assert "53cr3t" not in everything
