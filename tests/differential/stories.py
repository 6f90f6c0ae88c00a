"""Stories by chance: steps that mostly mean something, over few names, so that they meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from tests.differential.steps import Step, Story

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES: Final = ("a", "b", "c", "d", "e", "d/a", "d/b", "d/e", "d/e/a", "link", "link/a", "d/link")
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
SIZES: Final = (0, 1, 10, 4_096, 5_000, 70_000, 131_072, 1_100_000)
PLACES: Final = (0, 1, 100, 4_095, 4_096, 6_000, 131_072, 200_000, 1_048_576, 3_000_000)
TARGETS: Final = ("a", "d", "d/a", "../a", "link", "missing", ".", "..", "a/", "e/a", "t" * 1_000)
MODES: Final = (0o600, 0o644, 0o700, 0o755, 0o640, 0o444, 0o1777, 0o2755, 0o4755, 0o000)
SECONDS: Final = (0, 1, 86_400, 1_000_000_000, 1_234_567_890)
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
USUAL_OPTIONS: Final[tuple[tuple[str, ...], ...]] = (
    (),
    ("O_CREAT",),
    ("O_CREAT",),
    ("O_CREAT", "O_TRUNC"),
    ("O_APPEND", "O_CREAT"),
    ("O_CREAT", "O_EXCL"),
)


def chosen(shares: Mapping[st.SearchStrategy[Any], int]) -> st.SearchStrategy[Any]:
    """One of these, by their shares: `one_of` would count the kinds that each of them is made of."""
    return st.sampled_from([each for each, share in shares.items() for _ in range(share)]).flatmap(lambda each: each)


def steps(what: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    """Steps of these kinds."""
    return st.builds(Step, st.sampled_from(what.split()), **arguments)


_slots = st.integers(0, 4)
_sizes = st.sampled_from(SIZES)
_places = st.sampled_from(PLACES)
_targets = st.sampled_from(TARGETS)
_modes = st.sampled_from(MODES)
_times = st.builds(lambda seconds, part: seconds * 10**9 + part, st.sampled_from(SECONDS), st.integers(0, 10**9 - 1))
_options = chosen({st.sampled_from(USUAL_OPTIONS): 4, st.lists(st.sampled_from(OPTIONS), unique=True, max_size=4): 1})
_flags = st.builds(
    lambda access, options: (access, *sorted(options)),
    st.sampled_from(["O_RDONLY", "O_WRONLY", "O_RDWR", "O_RDWR", "O_RDWR"]),
    _options,
)
_whences = st.sampled_from([("SEEK_SET",), ("SEEK_CUR",), ("SEEK_END",), ("SEEK_DATA",), ("SEEK_HOLE",)])
_reservations = st.sampled_from(
    [(), ("FALLOC_FL_KEEP_SIZE",), ("FALLOC_FL_KEEP_SIZE", "FALLOC_FL_PUNCH_HOLE"), ("FALLOC_FL_ZERO_RANGE",)]
)
_renames = st.sampled_from(
    [(), (), (), ("RENAME_NOREPLACE",), ("RENAME_EXCHANGE",), ("RENAME_NOREPLACE", "RENAME_EXCHANGE")]
)

_between = steps("settle settle forget evict")


def calls(names: st.SearchStrategy[str]) -> st.SearchStrategy[Step]:
    """What a program does by these names, and with what it has open."""
    of_names = chosen(
        {
            steps("open", path=names, flags=_flags, mode=st.sampled_from([0o666, 0o666, 0o600, 0o755])): 12,
            steps("rename", path=names, to=names, flags=_renames): 8,
            steps("store save", path=names, size=_sizes): 6,
            steps("mkdir", path=names, mode=st.sampled_from([0o777, 0o777, 0o700])): 4,
            steps("unlink rmdir", path=names): 5,
            steps("list stat lstat access load readlink", path=names): 6,
            steps("link", path=names, to=names): 1,
            steps("symlink", path=names, to=_targets): 4,
            steps("setxattr getxattr removexattr listxattr", path=names, slot=_slots, when_ns=_times): 5,
            steps("chmod", path=names, mode=_modes): 3,
            steps("utimens", path=names, when_ns=_times, flags=st.sampled_from([(), (), ("AT_SYMLINK_NOFOLLOW",)])): 3,
            steps("truncate", path=names, size=_places): 4,
        }
    )
    of_descriptors = chosen(
        {
            steps("write read", slot=_slots, size=_sizes): 6,
            steps("pwrite pread", slot=_slots, size=_sizes, at=_places): 8,
            steps("ftruncate", slot=_slots, size=_places): 4,
            steps("seek", slot=_slots, at=_places, flags=_whences): 3,
            steps("map", slot=_slots, size=_sizes, at=_places, flags=st.sampled_from([(), (), ("private",)])): 4,
            steps("close dup", slot=_slots): 4,
            steps("fstat entries look", slot=_slots): 4,
            steps("fsync fdatasync", slot=_slots): 2,
            steps("is_same", slot=_slots, path=names): 3,
            steps("fchmod", slot=_slots, mode=_modes): 2,
            steps("futimens", slot=_slots, when_ns=_times): 3,
            steps("copy_range", slot=_slots, other=_slots, size=_sizes, at=_places): 3,
            steps("fallocate", slot=_slots, size=_sizes, at=_places, flags=_reservations): 1,
            steps("posix_fallocate", slot=_slots, size=_sizes, at=_places): 1,
        }
    )
    return chosen({of_names: 1, of_descriptors: 1})


BEGINNING: Final = [
    Step("store", "a", size=5_000),
    Step("mkdir", "d", mode=0o777),
    Step("store", "d/a", size=200_000),
    Step("mkdir", "d/e", mode=0o777),
    Step("open", "a", flags=("O_RDWR",)),
    Step("open", "d/a", flags=("O_RDWR",)),
]


def stories(most: int) -> st.SearchStrategy[Story]:
    """So many steps at the most, for a folder that has something in it already."""
    names = chosen({st.sampled_from(NAMES): 8, st.sampled_from(ODD_NAMES): 1})
    return st.lists(chosen({calls(names): 20, _between: 1}), min_size=most // 2, max_size=most)


PROGRAMS: Final = 3
MEETING: Final = [Step("mkdir", "shared", mode=0o777), Step("store", "shared/log"), Step("store", "shared/counter")]
"""What is there before they begin."""


def crowds(most: int) -> st.SearchStrategy[list[Story]]:
    """A story for each of several programs, whose results do not depend on how they come between each other.

    Each has names of its own, some of them in a folder that all share; what they do to the same file, they do as
    programs do who must get on: they append, take what nobody has, and wait for a lock.
    """
    return st.tuples(*(_one_of_many(number, most) for number in range(PROGRAMS))).map(list)


def _one_of_many(number: int, most: int) -> st.SearchStrategy[Story]:
    own = f"own-{number}"
    names = st.sampled_from([f"{own}/{name}" for name in NAMES[:8]] + [f"shared/{number}-{name}" for name in "abc"])
    together = chosen(
        {
            steps(
                "note", path=st.just("shared/log"), to=st.sampled_from([f"{number} says {word}" for word in "xyz"])
            ): 2,
            steps("claim", path=st.sampled_from([f"shared/{word}" for word in "uvw"]), to=st.just("shared/log")): 1,
            steps("count_up", path=st.just("shared/counter")): 2,
        }
    )
    beginning = [
        Step("mkdir", own, mode=0o777),
        Step("mkdir", f"{own}/d", mode=0o777),
        Step("store", f"{own}/d/a", size=200_000),
        Step("open", f"{own}/d/a", flags=("O_RDWR",)),
        Step("open", f"shared/{number}-a", flags=("O_CREAT", "O_RDWR"), mode=0o666),
    ]
    step = chosen({calls(names): 20, together: 6, steps("settle", path=st.just(own)): 1})
    return st.lists(step, min_size=most // 2, max_size=most).map(lambda steps: [*beginning, *steps])
