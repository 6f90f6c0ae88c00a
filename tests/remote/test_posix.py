"""POSIX attributes on the wire: what is sent comes back, and nothing that a server says of them spoils an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cxfs.core.entries import SELF, TreePath
from cxfs.core.posix import NOTHING, PLAIN, TARGET_BYTES_MAX, Posix, PosixUpdate
from cxfs.remote import replies
from cxfs.remote.bundles import Bundles, BundleUpload
from tests.remote.account import Bytes
from tests.remote.fake_cx import file, folder

if TYPE_CHECKING:
    from tests.remote.account import Account

MS = 1_350_941_207_700
ALL = PosixUpdate(mode=0o4751, rest_ns=123_456, xattrs=(("user.größe \n=", b"\0\xff"), ("user.none", b"")))
KEPT = Posix(mode=0o4751, rest_ns=123_456, xattrs=(("user.größe \n=", b"\0\xff"), ("user.none", b"")))
A = TreePath.parse("self:/a")


async def test_all_of_it_travels_with_an_upload(ours: Account) -> None:
    """And is told by the answer, and by every later one."""
    entry = await ours.transport.upload(A, Bytes(b"content"), modified_ms=MS, if_version=0, posix=ALL)

    assert (entry.posix, entry.modified_ns) == (KEPT, MS * 1_000_000 + 123_456)
    assert await ours.files.entry(A) == entry


async def test_all_of_it_travels_in_a_bundle(ours: Account) -> None:
    """With each item its own."""
    uploads = [BundleUpload(A, b"content", MS, 0, "a", lambda _: None, each) for each in (ALL, NOTHING)]
    uploads[1].path = TreePath.parse("self:/b")

    dressed, plain = await Bundles(ours.session).put(uploads)

    assert [each.posix for each in (dressed, plain)] == [KEPT, PLAIN]  # type: ignore[union-attr]


async def test_all_of_it_travels_with_a_new_folder(ours: Account) -> None:
    """But its time, which is that of its names."""
    entry = await ours.files.make_folder(A, PosixUpdate(mode=0o700, xattrs=ALL.xattrs))

    assert (entry.posix.mode, entry.posix.xattrs) == (0o700, KEPT.xattrs)


async def test_an_update_changes_what_it_names(ours: Account) -> None:
    """Each alone, and one extended attribute without the others."""
    await ours.transport.upload(A, Bytes(b"content"), modified_ms=MS, if_version=0, posix=ALL)

    await ours.files.update(A, None, PosixUpdate(mode=0o600))
    await ours.files.update(A, None, PosixUpdate(xattrs=(("user.none", None), ("user.new", b"new"))))
    entry = await ours.files.update(A, MS + 1, PosixUpdate(rest_ns=999_999))

    assert entry.posix == Posix(0o600, 999_999, None, (("user.größe \n=", b"\0\xff"), ("user.new", b"new")))
    assert entry.modified_ms == MS + 1


async def test_a_link_travels_with_the_file_that_marks_it(ours: Account) -> None:
    """Beyond ASCII, too."""
    entry = await ours.transport.upload(
        A, Bytes(b"marked"), modified_ms=MS, if_version=0, posix=PosixUpdate(link="../größe")
    )

    assert (entry.posix.link, entry.size) == ("../größe", 6)


async def test_a_server_of_the_documented_core_drops_it(minimal: Account) -> None:
    """Unknown fields are ignored [ours]."""
    entry = await minimal.transport.upload(A, Bytes(b"content"), modified_ms=MS, if_version=None, posix=ALL)

    assert entry.posix == PLAIN


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": 493},
        {"mode": "0o755"},
        {"mode": "99"},
        {"mode": ""},
        {"modifiedNs": 5},
        {"modifiedNs": "yesterday"},
        {"modifiedNs": "2013-10-22T21:26:47.700123456Z"},
        {"modifiedNs": "2012-10-23T08:00:00.000Z"},
        {"link": ""},
        {"link": 5},
        {"link": "a\0b"},
        {"link": "x" * (TARGET_BYTES_MAX + 1)},
        {"xattrs": []},
        {"xattrs": {"user.a": 5}},
        {"xattrs": {"user.a": "a"}},
        {"xattrs": {"trusted.a": "YQ"}},
        {"xattrs": {"user.a\0": "YQ"}},
    ],
)
def test_what_is_no_attribute_counts_as_absent(changes: dict[str, Any]) -> None:
    """The answer is good all the same."""
    assert replies.entry(json.dumps(file(**changes)).encode(), SELF).posix == PLAIN


def test_a_folder_leads_nowhere() -> None:
    """Whatever a server says of it."""
    assert replies.entry(json.dumps(folder(link="elsewhere")).encode(), SELF).posix.link is None


def test_a_finer_time_belongs_to_the_coarser_one() -> None:
    """Together they are one."""
    told = file(modified="2012-10-22T21:26:47.700Z", modifiedNs="2012-10-22T21:26:47.700000001Z")

    assert replies.entry(json.dumps(told).encode(), SELF).modified_ns == MS * 1_000_000 + 1
