"""The words after `-o`, and sizes and times as people write them."""

from __future__ import annotations

import grp
import os
import pwd
from fractions import Fraction

import click
import pytest
from hypothesis import given, strategies as st

from cxfs.cli.words import (
    ID_MAX,
    SIZE_BYTES_MAX,
    SIZE_UNITS,
    MountWords,
    parse_count,
    parse_seconds,
    parse_size,
    parse_words,
)
from cxfs.mount_options import MountOptions

MEANINGS: list[tuple[str, MountWords]] = [
    ("ro", {"read_only": True}),
    ("allow_other", {"allow_other": True}),
    ("uid=1000", {"uid": 1000}),
    ("gid=1000", {"gid": 1000}),
    ("uid=0,gid=0", {"uid": 0, "gid": 0}),
    ("umask=077", {"umask": 0o077}),
    ("umask=27", {"umask": 0o027}),
    ("root=/Pictures/2012", {"root": "/Pictures/2012"}),
    ("metadata_ttl=2m", {"metadata_ttl_s": 120.0}),
    ("negative_ttl=0.5", {"negative_ttl_s": 0.5}),
    ("metadata_deadline=5", {"metadata_deadline_s": 5.0}),
    ("data_deadline=2m", {"data_deadline_s": 120.0}),
    ("cache_size=20G", {"cache_bytes_max": 20 << 30}),
    ("draft_size=1.5GiB", {"draft_bytes_max": 3 << 29}),
    ("uploads=3", {"uploads_max": 3}),
    ("local_only=*.tmp:.DS_Store", {"local_only": ("*.tmp", ".DS_Store")}),
    ("local_only=", {"local_only": ()}),
    ("nonotifications", {"notifications": False}),
    ("drain_timeout=1h", {"drain_timeout_s": 3600.0}),
    ("nogroups", {"groups": False}),
    ("sync=remote", {"sync_remote": True}),
    ("sync", {"sync_remote": True}),
    ("noexec", {"no_exec": True}),
    ("fsname=work:", {"source": "work:"}),
    (r"root=/this\, that", {"root": "/this, that"}),
]

OF_FSTAB = (
    "defaults,rw,auto,noauto,nofail,_netdev,user,nouser,users,owner,group,dev,suid,nosuid,nodev,async,noatime,"
    "relatime,nodiratime,lazytime,nonempty,default_permissions,x-systemd.automount,x-gvfs-show,comment=mine,"
    "uhelper=cxfs,subtype=cxfs"
)


@pytest.mark.parametrize(("text", "meaning"), MEANINGS, ids=lambda word: word if isinstance(word, str) else "")
def test_a_word_means_one_thing(text: str, meaning: MountWords) -> None:
    """Each is a field of the daemon's options."""
    assert parse_words([text]) == meaning
    assert MountOptions(**meaning) != MountOptions()


@pytest.mark.parametrize("word", [*OF_FSTAB.split(","), ""])
def test_a_word_of_fstab_changes_nothing(word: str) -> None:
    """They are for mount(8), systemd and fsck, or are in force already; mount(8) hands them on all the same."""
    assert parse_words([word]) == {}


def test_words_stand_together_and_the_later_one_wins() -> None:
    """Commas, repeated `-o` and spaces, as mount(8) takes them."""
    assert parse_words(["ro,uid=1", " uid=2 ,noauto,"]) == {"read_only": True, "uid": 2}
    assert parse_words(["nogroups", "groups"]) == {"groups": True}


def test_users_and_groups_have_names_too() -> None:
    """As in fstab."""
    me, mine = pwd.getpwuid(os.getuid()), grp.getgrgid(os.getgid())

    assert parse_words([f"uid={me.pw_name},gid={mine.gr_name}"]) == {"uid": me.pw_uid, "gid": mine.gr_gid}


@pytest.mark.parametrize(
    "word",
    [
        "frobnicate", "ro=1", "allow_other=yes", "allow_root", "uid", "uid=", "uid=-1", "uid=4294967295",
        "uid=nobody-here", "gid=1.5", "umask=9", "umask=0o22", "umask=", "umask=12345", "root=Pictures", "root=",
        "metadata_deadline=0", "data_deadline=0.9",
        "cache_size=ten", "cache_size=-1", "cache_size=9999999T", "metadata_ttl=soon", "metadata_ttl=-1",
        "metadata_ttl=inf", "uploads=0", "uploads=many", "sync=both",
        "fsname=", "remount", "READ_ONLY", "suid=1", "nogroups=1",
        "local_only=*", "local_only=a/b",
    ],
)  # fmt: skip
def test_a_word_that_means_nothing_is_refused_by_name(word: str) -> None:
    """libfuse would say "fuse_session_new() failed" and no more."""
    with pytest.raises(click.UsageError) as refused:
        parse_words([f"ro,{word}"])

    assert refused.value.message.startswith(f"-o {word.partition('=')[0]}")


@given(st.integers(0, 999_999), st.sampled_from(sorted(SIZE_UNITS)), st.sampled_from(["", "B", "iB"]))
def test_a_size_counts_in_powers_of_1024(count: int, unit: str, ending: str) -> None:
    """`10G`, `10GB` and `10GiB` are one size, in either case."""
    assert parse_size(f"{count}{unit}{ending}") == count * SIZE_UNITS[unit]
    assert parse_size(f"{count} {unit}{ending}".lower()) == count * SIZE_UNITS[unit]


@given(st.integers(0, SIZE_BYTES_MAX))
def test_a_size_in_bytes_is_exact(count: int) -> None:
    """Floating point would lose the last digits."""
    assert parse_size(str(count)) == count


@given(st.decimals(0, 999_999, places=3), st.sampled_from([("", 1), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]))
def test_a_time_counts_in_its_unit(count: object, unit: tuple[str, int]) -> None:
    """Seconds without one."""
    assert parse_seconds(f"{count}{unit[0]}") == pytest.approx(float(Fraction(str(count)) * unit[1]))


@pytest.mark.parametrize("parse", [parse_size, parse_seconds, parse_count])
@given(text=st.text() | st.from_regex(r"\A[0-9]{1,400}(\.[0-9]{1,400})?[KMGTsmhd]?\Z"))
def test_any_other_text_is_a_value_within_limits_or_refused(parse: object, text: str) -> None:
    """No text is a fault of ours, and no number is larger than what can be counted."""
    assert callable(parse)
    try:
        value = parse(text)
    except ValueError:
        return
    assert 0 <= value <= SIZE_BYTES_MAX


def test_the_largest_id_is_the_kernels() -> None:
    """The one after it means "none"."""
    assert parse_words([f"uid={ID_MAX}"]) == {"uid": ID_MAX}
