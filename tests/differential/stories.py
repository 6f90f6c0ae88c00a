"""Stories by chance: steps that mostly mean something, over few names, so that they meet."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from tests.differential.steps import MILLISECOND_NS, Step, Story

NAMES: Final = ("a", "b", "c", "d", "e", "d/a", "d/b", "d/e", "d/e/a", "link")
LONGEST: Final = "n" * 255
ODD_NAMES: Final = (
    "a/",
    "d/",
    "missing/",
    "a/below",
    "missing/below",
    ".",
    "..",
    "d/.",
    "d/..",
    "d/../a",
    "",
    "d//a",
    "caf\u00e9",
    "cafe\u0301",
    "two\nlines",
    LONGEST,
    f"d/{LONGEST}",
    f"{LONGEST}x",
    f"{LONGEST}x/a",
    "\u00e9" * 127,
)
SIZES: Final = (0, 1, 10, 4096, 5_000, 70_000, 131_072, 1_100_000)
PLACES: Final = (0, 1, 100, 4_095, 4_096, 6_000, 131_072, 200_000, 1_048_576, 3_000_000)
MODES: Final = (0o600, 0o644, 0o700, 0o755, 0o640, 0o444, 0o1777, 0o2755, 0o4755, 0o000)
TIMES: Final = (0, 1, 86_400, 1_000_000_000, 1_234_567_890)
"""Seconds since the epoch."""

ACCESS: Final = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_RDWR")
OPTIONS: Final = (
    "O_CREAT",
    "O_EXCL",
    "O_TRUNC",
    "O_APPEND",
    "O_DIRECTORY",
    "O_NOFOLLOW",
    "O_SYNC",
    "O_DSYNC",
    "O_NONBLOCK",
    "O_NOATIME",
    "O_DIRECT",
    "O_PATH",
    "O_CLOEXEC",
    "O_TMPFILE",
)

_names = st.one_of(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(ODD_NAMES))
_slots = st.integers(0, 4)
_sizes = st.sampled_from(SIZES)
_places = st.sampled_from(PLACES)
_modes = st.sampled_from(MODES)
_times = st.builds(
    lambda seconds, part: seconds * 10**9 + part * MILLISECOND_NS, st.sampled_from(TIMES), st.integers(0, 999)
)
_options = st.one_of(
    st.just(["O_CREAT"]),
    st.sampled_from([["O_CREAT", "O_TRUNC"], ["O_CREAT", "O_APPEND"], ["O_CREAT", "O_EXCL"], []]),
    st.lists(st.sampled_from(OPTIONS), unique=True, max_size=4),
)
_flags = st.builds(lambda access, options: (access, *sorted(options)), st.sampled_from(ACCESS), _options)
_whences = st.sampled_from([("SEEK_SET",), ("SEEK_CUR",), ("SEEK_END",), ("SEEK_DATA",), ("SEEK_HOLE",)])
_reservations = st.sampled_from(
    [(), ("FALLOC_FL_KEEP_SIZE",), ("FALLOC_FL_KEEP_SIZE", "FALLOC_FL_PUNCH_HOLE"), ("FALLOC_FL_ZERO_RANGE",)]
)

_opens = st.builds(Step, st.just("open"), path=_names, flags=_flags, mode=st.sampled_from([0o666, 0o666, 0o600, 0o755]))
_moves = st.sampled_from(
    [(), (), (), ("RENAME_NOREPLACE",), ("RENAME_EXCHANGE",), ("RENAME_NOREPLACE", "RENAME_EXCHANGE")]
)
_renames = st.builds(Step, st.just("rename"), path=_names, to=_names, flags=_moves)
_of_names = st.one_of(
    st.builds(Step, st.sampled_from(["mkdir"]), path=_names, mode=st.sampled_from([0o777, 0o777, 0o700])),
    st.builds(
        Step, st.sampled_from(["rmdir", "unlink", "list", "stat", "lstat", "access", "load", "readlink"]), path=_names
    ),
    st.builds(Step, st.sampled_from(["link", "symlink"]), path=_names, to=_names),
    st.builds(Step, st.just("chmod"), path=_names, mode=_modes),
    st.builds(Step, st.just("utimens"), path=_names, when_ns=_times),
    st.builds(Step, st.just("truncate"), path=_names, size=_places),
    st.builds(Step, st.sampled_from(["store", "save"]), path=_names, size=_sizes),
    st.builds(Step, st.sampled_from(["unlink", "load", "stat"]), path=_names),
)
_of_descriptors = st.one_of(
    st.builds(Step, st.sampled_from(["close", "dup", "fstat", "entries", "fsync", "fdatasync", "look"]), slot=_slots),
    st.builds(Step, st.sampled_from(["read", "write", "write"]), slot=_slots, size=_sizes),
    st.builds(Step, st.sampled_from(["pread", "pwrite", "pwrite"]), slot=_slots, size=_sizes, at=_places),
    st.builds(
        Step, st.just("map"), slot=_slots, size=_sizes, at=_places, flags=st.sampled_from([(), (), ("private",)])
    ),
    st.builds(Step, st.just("seek"), slot=_slots, at=_places, flags=_whences),
    st.builds(Step, st.just("ftruncate"), slot=_slots, size=_places),
    st.builds(Step, st.just("fchmod"), slot=_slots, mode=_modes),
    st.builds(Step, st.just("futimens"), slot=_slots, when_ns=_times),
    st.builds(Step, st.just("is_same"), slot=_slots, path=_names),
    st.builds(Step, st.just("copy_range"), slot=_slots, other=_slots, size=_sizes, at=_places),
    st.builds(Step, st.just("fallocate"), slot=_slots, size=_sizes, at=_places, flags=_reservations),
    st.builds(Step, st.just("posix_fallocate"), slot=_slots, size=_sizes, at=_places),
)
_between = st.sampled_from([Step("settle"), Step("settle"), Step("forget"), Step("evict")])
_remounts = st.sampled_from([Step("remount")])

BEGINNING: Final = [
    Step("store", "a", size=5_000),
    Step("mkdir", "d", mode=0o777),
    Step("store", "d/a", size=200_000),
    Step("mkdir", "d/e", mode=0o777),
]


def stories(steps_max: int, *, remounts: bool) -> st.SearchStrategy[Story]:
    """So many steps at the most, in a folder that has something in it already."""
    kinds = [
        _opens,
        _opens,
        _of_names,
        _of_names,
        _of_descriptors,
        _of_descriptors,
        _of_descriptors,
        _renames,
        _between,
    ]
    step = st.one_of(*kinds, *([_remounts] if remounts else []))
    return st.lists(step, min_size=steps_max // 2, max_size=steps_max).map(lambda steps: [*BEGINNING, *steps])
