"""Every way of foreign bytes into the server, one by one; `test_requests` sends them through all of it."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from cxfs.server import bundles
from cxfs.server.attributes import parse_link, parse_mode, parse_xattrs, show_mode, show_xattrs
from cxfs.server.calls import Parameters
from cxfs.server.errors import (
    InvalidClient,
    InvalidPath,
    InvalidRequest,
    NameTooLong,
    RangeNotSatisfiable,
    RequestTooLarge,
    ServerError,
    VersionConflict,
)
from cxfs.server.forms import BundleReader, FormReader, boundary_of, fields_of, url_encoded
from cxfs.server.limits import NAME_CHARACTERS_MAX, NUMBER_MAX
from cxfs.server.oauth import _basic
from cxfs.server.pages.visits import ours
from cxfs.server.ranges import check_if_match, if_range_holds, requested_span
from cxfs.server.redirects import (
    check_redirect_uri,
    form_action,
    host_of,
    is_on_this_machine,
    is_registered,
    with_answer,
)
from cxfs.server.wire import TreePath, parse_fine_time, parse_path, parse_path_in_url, show_fine_time
from tests.fuzz.parser import Parser, header_of

SIZE: Final = 1_000
FORM: Final = (
    b'--b\r\nContent-Disposition: form-data; name="modified"\r\n\r\n2012-10-22T21:26:47.700Z\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
    b"Content-Type: text/plain\r\n\r\nhello\r\n--b--\r\n"
)
BUNDLE: Final = (
    b'--b\r\nContent-Disposition: form-data; name="items"\r\n\r\n[{"path": "self:/a"}]\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nhello\r\n--b--\r\n'
)
FORM_WORDS: Final = (
    b"--b\r\n",
    b"--b--\r\n",
    b"\r\n\r\n",
    b'name="file"',
    b"Content-Disposition: ",
    b"\r\n--b",
    b"filename*=utf-8''%FF",
)
LISTS: Final = (
    b'{"items": [{"path": "self:/a", "version": 3}, {"path": "self:/b"}]}',
    b'[{"path": "self:/a", "modified": "2012-10-22T21:26:47.700Z", "ifVersion": 0, "size": 5}, {"path": ""}]',
)


def byte_range(raw: bytes) -> None:
    """Never a byte that the file has not got, and never none."""
    span = requested_span(header_of(raw), SIZE)
    assert span is None or 0 <= span.start < span.stop <= SIZE


def condition(raw: bytes) -> None:
    """Of any kind."""
    if_range_holds(header_of(raw), '"3"', "Wed, 21 Oct 2015 07:28:00 GMT")
    check_if_match(header_of(raw), '"3"')


def form(raw: bytes) -> None:
    """The file's bytes are a part of the body as it came, wherever it was cut on its way."""
    for at_a_time in (1, 7, len(raw) or 1):
        reader = FormReader("b", with_file=True)
        pieces = [raw[at : at + at_a_time] for at in range(0, len(raw), at_a_time)]
        content = b"".join(part for piece in pieces for part in reader.feed(piece))
        reader.finish()
        assert content in raw


def bundle(raw: bytes) -> None:
    """The same of many."""
    reader = BundleReader("b")
    files = [file for at in range(0, len(raw), 5) for file in reader.feed(raw[at : at + 5])]
    reader.finish()
    assert all(file in raw for file in files)


def content_type(raw: bytes) -> None:
    """Of a body, whatever is in it."""
    boundary = boundary_of(header_of(raw))
    assert 0 < len(boundary) <= 256
    FormReader(boundary, with_file=True)
    BundleReader(boundary)


def short_body(raw: bytes) -> None:
    """Its first line is taken for the type."""
    kind, _, body = raw.partition(b"\n")
    assert all(isinstance(value, str) for value in fields_of(header_of(kind), body).values())


def query(raw: bytes) -> None:
    """Understood as everybody does, or not at all."""
    found = url_encoded(raw)
    assert found == dict(parse_qsl(raw.decode(), keep_blank_values=True))
    parameters = Parameters(found)
    assert 0 <= (parameters.number("limit", 0) or 0) <= NUMBER_MAX
    assert parameters.flag("recursive", default=True) in {True, False}
    assert parameters.choice("sort", frozenset({"name", "size"}), "name") in {"name", "size"}
    if parameters.text("to") is not None:
        parameters.path("to")


def address(raw: bytes) -> None:
    """No name in a path can be mistaken for another path."""
    found = parse_path_in_url(raw)
    if isinstance(found, TreePath):
        assert all(0 < len(name) <= NAME_CHARACTERS_MAX and not set(name) & set("/\0") for name in found.names)
        assert not {".", ".."} & set(found.names)
        assert parse_path(f"{found.owner}:/" + "/".join(found.names)) == found
    else:
        assert parse_path(f"{found.owner}:{found.object}") == found


def time(raw: bytes) -> None:
    """To the nanosecond."""
    moment = parse_fine_time(raw.decode(errors="replace"))
    assert parse_fine_time(show_fine_time(*moment)) == moment


def attributes(raw: bytes) -> None:
    """What is taken can be shown, and is the same then; one that sets nothing keeps nothing."""
    values = {name: value for name, value in parse_xattrs(raw).items() if value is not None}
    assert parse_xattrs(show_xattrs(values) or "{}") == values
    assert all(name.startswith("user.") for name in values)


def mode(raw: bytes) -> None:
    """Permission bits, and nothing else of a mode."""
    found = parse_mode(raw.decode(errors="replace"))
    assert found is not None
    assert parse_mode(show_mode(found)) == found <= 0o7777


def link_target(raw: bytes) -> None:
    """What a kernel can be told."""
    found = parse_link(raw.decode(errors="replace"))
    assert found
    assert "\0" not in found


def bundle_list(raw: bytes) -> None:
    """Whichever of the three it is for."""
    decoders = (bundles._WANTED, bundles._UNWANTED) if raw.lstrip().startswith(b"{") else (bundles._BROUGHT,)
    for decoder in decoders:
        bundles._understood(decoder, raw)


def redirect(raw: bytes) -> None:
    """A browser reads the same host in it as a person was shown, and the answer comes behind what was registered."""
    uri = raw.decode(errors="replace")
    check_redirect_uri(uri)
    parts = urlsplit(with_answer(uri, {"code": "a&b=c", "state": "é"}))
    assert parts.scheme == "https"
    assert parts.netloc == host_of(uri)
    assert not parts.fragment
    assert parse_qsl(parts.query)[-2:] == [("code", "a&b=c"), ("state", "é")]
    assert is_registered(uri, [uri])
    assert not is_registered(uri, ["https://elsewhere.test/"]) or uri == "https://elsewhere.test/"
    assert form_action(uri) in {f"https://{host_of(uri)}", "https:"}
    if is_on_this_machine(uri):
        assert parts.hostname in {"127.0.0.1", "localhost", "::1"}


def unregistered(raw: bytes) -> None:
    """Whatever somebody puts into the address of the consent page."""
    uri = raw.decode(errors="replace")
    if is_registered(uri, ["https://app.example.org/back", "https://127.0.0.1/"]):
        assert urlsplit(uri).hostname in {"app.example.org", "127.0.0.1"}


def application(raw: bytes) -> None:
    """An application names itself."""
    _basic(header_of(raw))


def next_page(raw: bytes) -> None:
    """Whoever signs in is sent on to a page of ours and to no other host, whatever the link said."""
    found = ours(raw.decode(errors="replace"))
    assert found.startswith("/")
    parts = urlsplit(found)
    assert not parts.scheme
    assert not parts.netloc
    assert found.isascii()
    assert found.isprintable()


PARSERS: Final = (
    Parser(
        "cxfs.server.ranges: requested_span",
        byte_range,
        (b"bytes=0-4", b"bytes=5-", b"bytes=-5"),
        (RangeNotSatisfiable,),
        (b"bytes=", b"-", b"999", b"1000", b"items="),
    ),
    Parser(
        "cxfs.server.ranges: check_if_match", condition, (b'"3"', b'"2", "3"', b"*"), (VersionConflict,), (b'W/"3"',)
    ),
    Parser("cxfs.server.forms: FormReader", form, (FORM,), (InvalidRequest, RequestTooLarge), FORM_WORDS),
    Parser("cxfs.server.forms: BundleReader", bundle, (BUNDLE,), (InvalidRequest, RequestTooLarge), FORM_WORDS),
    Parser(
        "cxfs.server.forms: boundary_of",
        content_type,
        (b"multipart/form-data; boundary=b", b'multipart/form-data; charset=utf-8; boundary="a b"'),
        (InvalidRequest, RequestTooLarge),
        (b"boundary=", b'"', b"boundary*0=", b"boundary*=utf-8''%FF"),
    ),
    Parser(
        "cxfs.server.forms: fields_of",
        short_body,
        (b"application/x-www-form-urlencoded\na=b&c=%20", b"multipart/form-data; boundary=b\n" + FORM),
        (InvalidRequest, RequestTooLarge),
        FORM_WORDS,
    ),
    Parser(
        "cxfs.server.forms: url_encoded",
        query,
        (b"limit=5&recursive=false&to=self:%2Fa&sort=size", b""),
        (InvalidRequest, InvalidPath, NameTooLong),
        (b"limit=", b"to=", b"recursive=", b"&"),
    ),
    Parser(
        "cxfs.server.wire: parse_path_in_url",
        address,
        (b"self:%2Fa%2Fb", b"self:/", b"SNU2d6zrEeGnthICOA-R7w:SNU2d6zrEeGnthICOA-R7w"),
        (InvalidPath, NameTooLong),
        (b"%2F", b"%00", b"%2e", b"%C3%A9", b"%25", b"self:"),
    ),
    Parser(
        "cxfs.server.attributes: parse_xattrs",
        attributes,
        (b'{"user.a": "YWJj", "user.b": ""}', b'{"user.a": null}'),
        (InvalidRequest,),
        (b'"user."', b'"system.a"', b'"="', b"null", b"\\u0000", b"[[[["),
    ),
    Parser(
        "cxfs.server.attributes: parse_mode", mode, (b"755", b"4755"), (InvalidRequest,), (b"0o", b"8", b"-7", b" 7")
    ),
    Parser(
        "cxfs.server.attributes: parse_link", link_target, (b"../a", b"b"), (InvalidRequest,), (b"\0", b"/" * 1_100)
    ),
    Parser(
        "cxfs.server.wire: parse_fine_time",
        time,
        (b"2012-10-22T21:26:47.700Z", b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59.999Z"),
        (InvalidRequest,),
        (b"24:", b":60", b"-02-30", b"0000-", b".1234567890Z", b"+01:00"),
    ),
    Parser(
        "cxfs.server.bundles: _understood",
        bundle_list,
        LISTS,
        (InvalidRequest,),
        (b'"version": ', b'"path": ', b"1e3", b"9" * 20),
    ),
    Parser(
        "cxfs.server.redirects: check_redirect_uri",
        redirect,
        (b"https://app.example.org/back?a=b", b"https://[::1]:8080/", b"https://127.0.0.1"),
        (ServerError,),
        (b"@", b"#", b"\\", b"https://", b"//", b"?", b"&", b"localhost", b":65536", b"[::1"),
    ),
    Parser(
        "cxfs.server.redirects: is_registered",
        unregistered,
        (b"https://app.example.org/back", b"https://127.0.0.1:5000/", b"https://app.example.org.evil.test/back"),
        words=(b"@", b"#", b"\\", b".evil.test", b"evil.test", b"//", b"127.0.0.1", b":5"),
    ),
    Parser(
        "cxfs.server.oauth: _basic",
        application,
        (b"Basic YTpi", b"basic YTpiOmM="),
        (InvalidClient,),
        (b"Basic ", b"====", b"w6k="),
    ),
    Parser(
        "cxfs.server.pages.visits: ours",
        next_page,
        (b"/mycx/files/a?b=c", b"/mycx/apps"),
        words=(b"//", b"/\\", b"https://evil.test", b"\t", b"/mycx/"),
    ),
)
