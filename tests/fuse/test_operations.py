"""The adapter: numbers in, attributes and errno out, whatever happens behind it."""

from __future__ import annotations

import errno
import inspect
import io
import logging
import os
import sqlite3
import stat
from typing import TYPE_CHECKING, Any, Final, cast

import pyfuse3
import pytest
import trio
from pyfuse3 import EntryAttributes, FUSEError

from cxfs.cli.logs import Redacting
from cxfs.core import errors
from cxfs.core.errors import CxfsError
from cxfs.fs.attributes import Attributes
from cxfs.fs.filesystem import FileSystem, FolderHandle
from cxfs.fs.listings import Child
from cxfs.fs.node import Node
from cxfs.fs.space import Space
from cxfs.fuse.answers import ERRNO, errno_of
from cxfs.fuse.open_folders import OpenFolder
from cxfs.fuse.operations import Operations
from cxfs.remote import failures
from cxfs.remote.redaction import KnownSecrets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from trio.testing import MockClock

EXPECTED: Final = {
    "AcrossTrees": "EXDEV",
    "AlreadyExists": "EEXIST",
    "ContentLost": "EIO",
    "BadName": "EINVAL",
    "BadReply": "EIO",
    "BadRequest": "EINVAL",
    "Denied": "EACCES",
    "DiskFull": "ENOSPC",
    "ForeignAttribute": "ENOTSUP",
    "Interrupted": "EINTR",
    "Invalid": "EINVAL",
    "IsADirectory": "EISDIR",
    "Misconfigured": "EIO",
    "NameTooLong": "ENAMETOOLONG",
    "NoAttribute": "ENODATA",
    "NoSpace": "EDQUOT",
    "NotADirectory": "ENOTDIR",
    "NotEmpty": "ENOTEMPTY",
    "NotFound": "ENOENT",
    "NotSynced": "EIO",
    "Offline": "EHOSTUNREACH",
    "RateLimited": "EIO",
    "ReadOnly": "EROFS",
    "ServerTrouble": "EIO",
    "SignedOut": "EACCES",
    "Stale": "ESTALE",
    "Suspended": "EACCES",
    "TimedOut": "ETIMEDOUT",
    "TooLarge": "EFBIG",
    "Unreachable": "EIO",
    "Untrusted": "EIO",
    "SignInFailed": "EIO",
    "RefusedByPerson": "EIO",
    "AttributesFull": "ENOSPC",
    "Unsupported": "EPERM",
    "VersionConflict": "ESTALE",
}
"""What a program is told of each failure; a new kind of failure has to be given its place here."""


def kinds() -> list[type[CxfsError]]:
    return [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, CxfsError) and kind is not CxfsError
    ]


class Broken:
    """A file system in which every call fails in one way; only the root can be had, and forgetting works."""

    def __init__(self, error: BaseException) -> None:
        self.root = Node(1, is_folder=True, parent=None, shown="")
        self._error = error

    def release(self, node: Node) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fails(*_args: object, **_kwargs: object) -> Any:
            raise self._error

        return fails


class Context:
    """Who asks."""

    uid = gid = pid = 1
    umask = 0o022


class Fields:
    """A setattr that asks for everything."""

    update_size = update_mode = update_uid = update_gid = update_mtime = True


def operations_over(fs: object, **limits: float) -> Operations:
    deadlines = {"metadata_deadline_s": 10.0, "data_deadline_s": 60.0} | limits
    return Operations(cast("FileSystem", fs), **deadlines)  # type: ignore[arg-type]  # only floats


def calls(operations: Operations) -> dict[str, Callable[[], Awaitable[object]]]:
    """Every handler, called as pyfuse3 calls it, on the root and on one open file and folder."""
    ctx: Any = Context()
    operations._handles[5] = cast("Any", object())
    operations._folders._open[6] = OpenFolder(FolderHandle(operations._fs.root, list), opener=1)
    return {
        "lookup": lambda: operations.lookup(1, b"a", ctx),
        "getattr": lambda: operations.getattr(1, ctx),
        "setattr": lambda: operations.setattr(1, EntryAttributes(), cast("Any", Fields()), None, ctx),
        "statfs": lambda: operations.statfs(ctx),
        "getxattr": lambda: operations.getxattr(1, b"user.cx.uuid", ctx),
        "setxattr": lambda: operations.setxattr(1, b"user.cx.sync", b"1", ctx),
        "removexattr": lambda: operations.removexattr(1, b"user.colour", ctx),
        "listxattr": lambda: operations.listxattr(1, ctx),
        "readlink": lambda: operations.readlink(1, ctx),
        "symlink": lambda: operations.symlink(1, b"a", b"b", ctx),
        "opendir": lambda: operations.opendir(1, ctx),
        "readdir": lambda: operations.readdir(6, 0, None),
        "mkdir": lambda: operations.mkdir(1, b"a", 0o755, ctx),
        "mknod": lambda: operations.mknod(1, b"a", stat.S_IFREG | 0o644, 0, ctx),
        "unlink": lambda: operations.unlink(1, b"a", ctx),
        "rmdir": lambda: operations.rmdir(1, b"a", ctx),
        "rename": lambda: operations.rename(1, b"a", 1, b"b", 0, ctx),
        "create": lambda: operations.create(1, b"a", 0o644, os.O_RDWR, ctx),
        "open": lambda: operations.open(1, os.O_RDONLY, ctx),
        "read": lambda: operations.read(5, 0, 1),
        "write": lambda: operations.write(5, 0, b"x"),
        "flush": lambda: operations.flush(5),
        "fsync": lambda: operations.fsync(5, True),
        "fsyncdir": lambda: operations.fsyncdir(6, True),
        "release": lambda: operations.release(5),
    }


HANDLERS: Final = sorted(calls(operations_over(Broken(RuntimeError()))))
BUGS: Final = [
    RuntimeError("x"), OSError(errno.EIO, "x"), OSError(errno.ENOENT, "x"), KeyError("x"), ValueError("x"),
    TypeError("x"), AssertionError(), RecursionError("x"), sqlite3.DatabaseError("malformed"), TimeoutError(),
    StopIteration(), trio.BrokenResourceError("x"), SystemExit(1), ExceptionGroup("x", [ValueError("x"), OSError(5)]),
    BaseExceptionGroup("x", [SystemExit(1), KeyError("x")]),
]  # fmt: skip

MACHINE: Final = {
    errno.ENOSPC: "ENOSPC", errno.EDQUOT: "ENOSPC", errno.EROFS: "EROFS", errno.EMFILE: "ENFILE",
    errno.ENFILE: "ENFILE", errno.ENOMEM: "ENOMEM", errno.EIO: "EIO", errno.ENOENT: "EIO", errno.EACCES: "EIO",
}  # fmt: skip
"""What a failure of a file of ours is to the program: never that its own file is gone, or that it may not."""


def test_every_kind_of_failure_has_an_errno_of_its_choice() -> None:
    """None is EIO by oversight."""
    chosen = {kind.__name__: errno.errorcode[errno_of(kind("x"))] for kind in kinds()}

    assert {name: "ENODATA" if code == "ENOATTR" else code for name, code in chosen.items()} == EXPECTED


def test_a_finer_kind_is_told_as_the_kind_above_it() -> None:
    """Rooms may have kinds of their own."""
    assert errno_of(failures.CertificateRefused("x")) == ERRNO[errors.Unreachable]


@pytest.mark.parametrize("name", HANDLERS)
@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
async def test_each_handler_answers_each_failure(name: str, kind: type[CxfsError]) -> None:
    """The decorator is on every one of them."""
    with pytest.raises(FUSEError) as answer:
        await calls(operations_over(Broken(kind("x"))))[name]()

    assert answer.value.errno == errno_of(kind("x"))


@pytest.mark.promise
@pytest.mark.parametrize("name", HANDLERS)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: type(bug).__name__)
async def test_no_bug_ends_the_mount(name: str, bug: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """No exception in a handler ends the mount: the call fails with EIO, and a traceback is logged."""
    with pytest.raises(FUSEError) as answer:
        await calls(operations_over(Broken(bug)))[name]()

    assert answer.value.errno == errno.EIO
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert caplog.records[0].exc_info is not None


@pytest.mark.promise
@pytest.mark.parametrize("name", HANDLERS)
@pytest.mark.parametrize(("code", "told"), MACHINE.items(), ids=map(errno.errorcode.get, MACHINE))
async def test_each_handler_tells_what_ails_this_machine(name: str, code: int, told: str) -> None:
    """What ails the files that the daemon keeps here is told as ENOSPC, EROFS, ENFILE or ENOMEM, anything else of them
    as EIO: never that the program's own file is gone, or that it may not."""
    full = errors.DiskFull("x")
    full.__cause__ = OSError(code, "x")

    for failure in (OSError(code, "x"), full):
        with pytest.raises(FUSEError) as answer:
            await calls(operations_over(Broken(failure)))[name]()

        assert errno.errorcode[answer.value.errno] == told


def failing(statement: str) -> sqlite3.Error:
    """What SQLite says where a database has one page and may have no more, or may not be written."""
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA max_page_count=1")
    try:
        connection.execute(statement)
        connection.execute("CREATE TABLE t (c)")
    except sqlite3.Error as error:
        return error
    finally:
        connection.close()
    raise AssertionError("it took it")


@pytest.mark.parametrize(
    ("statement", "told"), [("SELECT 1", errno.ENOSPC), ("PRAGMA query_only=1", errno.EROFS), ("garbage", errno.EIO)]
)
def test_what_ails_the_journal_is_told(statement: str, told: int) -> None:
    """A journal that is damaged is not a disk that is full."""
    full = errors.DiskFull("x")
    full.__cause__ = failing(statement)

    assert errno_of(full) == told


@pytest.mark.parametrize("name", HANDLERS)
async def test_a_failure_in_a_group_is_told_as_itself(name: str) -> None:
    """Where a handler has tasks of its own, what they raise comes wrapped."""
    group = ExceptionGroup("x", [ExceptionGroup("x", [errors.NotFound("x")])])

    with pytest.raises(FUSEError) as answer:
        await calls(operations_over(Broken(group)))[name]()

    assert answer.value.errno == errno.ENOENT


@pytest.mark.parametrize("name", HANDLERS)
async def test_no_memory_is_told(name: str) -> None:
    """The next call may find some."""
    with pytest.raises(FUSEError) as answer:
        await calls(operations_over(Broken(MemoryError())))[name]()

    assert answer.value.errno == errno.ENOMEM


@pytest.mark.parametrize("name", HANDLERS)
@pytest.mark.parametrize("wish", [KeyboardInterrupt, GeneratorExit])
async def test_a_wish_to_end_passes(name: str, wish: type[BaseException]) -> None:
    """It is no failure of the call."""
    with pytest.raises(wish):
        await calls(operations_over(Broken(wish())))[name]()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What a daemon that knows the secret s3cr3t-of-this-mount has in its log."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(Redacting(KnownSecrets("s3cr3t-of-this-mount")))
    logging.getLogger().addHandler(handler)
    yield handler.stream
    logging.getLogger().removeHandler(handler)


async def test_a_traceback_in_the_log_holds_no_token(logged: io.StringIO) -> None:
    """Whatever an exception says: a URL of ours, or the token alone."""
    bug = ValueError("GET https://cx.test/1/x?access_token=s3cr3t-in-a-url and s3cr3t-of-this-mount")

    with pytest.raises(FUSEError):
        await calls(operations_over(Broken(bug)))["lookup"]()

    said = logged.getvalue()
    assert "Traceback" in said
    assert "ValueError: GET https://cx.test/1/x?access_token=***" in said
    assert "s3cr3t" not in said


class LogOfNoUse(logging.Handler):
    """It needs more of the stack, or of the memory, than there is."""

    def emit(self, record: logging.LogRecord) -> None:
        raise RecursionError("no stack left")


async def test_a_log_that_fails_too_ends_nothing() -> None:
    """Then there is no line; the call is answered."""
    handler = LogOfNoUse()
    logging.getLogger().addHandler(handler)
    try:
        with pytest.raises(FUSEError) as answer:
            await calls(operations_over(Broken(RecursionError())))["lookup"]()
    finally:
        logging.getLogger().removeHandler(handler)

    assert answer.value.errno == errno.EIO


class Waiting(Broken):
    """A file system whose answers never come."""

    def ready(self, *_args: object) -> None:
        return None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def waits(*_args: object, **_kwargs: object) -> None:
            await trio.sleep_forever()

        return waits


DEADLINES: Final = {
    **dict.fromkeys(["create", "fsyncdir", "getattr", "lookup", "mkdir", "mknod", "open", "opendir"], 10),
    **dict.fromkeys(["removexattr", "rename", "rmdir", "symlink", "unlink"], 10),
    **dict.fromkeys(["flush", "fsync", "read", "release", "setattr", "write"], 60),
}
OF_THEIR_OWN: Final = {"setxattr"}
"""Waits for an upload, and ends when the server takes nothing any more (tests/fs/test_objects.py)."""

AT_ONCE: Final = {"forget", "getxattr", "link", "listxattr", "readdir", "readlink", "releasedir", "statfs"}
"""Handlers that wait for nothing at all."""


def test_every_handler_has_its_deadline() -> None:
    """One that was forgotten would let a program hang for ever. Those that we do not have answer by themselves."""
    ours = {name for name in vars(Operations) if name in vars(pyfuse3.Operations)}

    assert (
        ours - {"__init__", "__module__", "__doc__", "__dict__", "__weakref__", *FLAGS}
        == DEADLINES.keys() | AT_ONCE | OF_THEIR_OWN
    )


FLAGS: Final = {"supports_dot_lookup", "enable_writeback_cache", "enable_acl"}


@pytest.mark.promise
@pytest.mark.parametrize(("name", "deadline_s"), DEADLINES.items())
async def test_every_call_ends(name: str, deadline_s: float, autojump_clock: MockClock) -> None:
    """No call waits longer than its deadline (metadata 10 seconds, content 60; `--metadata-deadline`,
    `--data-deadline`): then it fails with ETIMEDOUT."""
    call = calls(operations_over(Waiting(RuntimeError())))[name]
    began = trio.current_time()

    with trio.fail_after(1_000), pytest.raises(FUSEError) as answer:
        await call()

    assert answer.value.errno == errno.ETIMEDOUT
    assert trio.current_time() - began == deadline_s


async def test_the_end_of_the_mount_is_not_taken_for_a_failure(autojump_clock: MockClock) -> None:
    """A cancellation from outside passes through: it is the answer to nobody."""
    call = calls(operations_over(Waiting(RuntimeError())))["lookup"]

    with trio.move_on_after(1) as scope:
        await call()

    assert scope.cancelled_caught


class Tangled(Broken):
    """A file system whose tasks fail at the moment in which the mount ends."""

    async def lookup(self, folder: Node, name: bytes) -> tuple[Node | None, float]:
        async def fails_when_ended() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise self._error

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails_when_ended)
            nursery.start_soon(trio.sleep_forever)
        return None, 0.0


async def test_a_failure_beside_the_end_of_the_mount_disturbs_it_not(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and what goes on is the end alone."""
    call = calls(operations_over(Tangled(ValueError("x"))))["lookup"]

    with trio.move_on_after(1) as scope:
        await call()

    assert scope.cancelled_caught
    assert "ValueError: x" in caplog.text


async def test_forget_never_raises() -> None:
    """There is nobody to answer."""
    operations = operations_over(Broken(RuntimeError()))

    await operations.forget([(1, 1), (99, 3)])


async def test_forgetting_one_that_fails_forgets_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """Else their numbers would be kept for ever."""
    fs = Broken(RuntimeError())
    operations = operations_over(fs)
    nodes = [Node(number, is_folder=False, parent=fs.root, shown=f"{number}") for number in (7, 8)]
    for node in nodes:
        operations._inodes.remember(node)
    released: list[int] = []

    def release(node: Node) -> None:
        released.append(node.inode)
        raise RuntimeError("x")

    operations._inodes._release = release
    await operations.forget([(7, 1), (8, 1)])

    assert released == [7, 8]
    assert [record.message for record in caplog.records] == ["a bug in forget"] * 2


# ---------------------------------------------------------------- translation


class Listed(Broken):
    """A file system with one folder of a few files."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(RuntimeError())
        self.nodes = [Node(10 + at, is_folder=False, parent=self.root, shown=name) for at, name in enumerate(names)]
        self.unused_nodes: list[Node] = []

    def open_folder(self, folder: Node) -> Awaitable[FolderHandle]:
        async def opened() -> FolderHandle:
            return FolderHandle(folder, lambda: [Child(node.shown, None, None) for node in self.nodes])

        return opened()

    def child(self, handle: FolderHandle, index: int) -> tuple[Child, Node]:
        return handle.children[index], self.nodes[index]

    def attributes_now(self, node: Node) -> Attributes:
        return Attributes(node.inode, node.is_folder, 1_000, 0o640, 7, 8, 1_234_567_000_000, 0, 1)

    def believed_s(self, node: Node) -> float:
        return 12.5

    def unused(self, node: Node) -> None:
        self.unused_nodes.append(node)

    def lookup(self, folder: Node, name: bytes) -> Awaitable[tuple[Node | None, float]]:
        async def found() -> tuple[Node | None, float]:
            known = [node for node in self.nodes if node.shown == name.decode()]
            return (known[0], 0.0) if known else (None, float(name.decode()))

        return found()

    def space(self) -> Space:
        return Space(total_bytes=10 << 20, used_bytes=11 << 20)


class Buffer:
    """The kernel's side of a readdir: room for so many lines."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.lines: list[tuple[bytes, int, int]] = []

    def reply(self, _token: object, name: bytes, attributes: EntryAttributes, next_id: int) -> bool:
        if len(self.lines) == self.room:
            return False
        self.lines.append((name, attributes.st_ino, next_id))
        return True


def listing_operations(fs: Listed, buffer: Buffer) -> Operations:
    return Operations(cast("FileSystem", fs), metadata_deadline_s=10, data_deadline_s=60, reply=buffer.reply)


async def test_a_listing_can_go_on_from_any_cookie() -> None:
    """A small buffer takes a few lines at a time; none comes twice and none is left out."""
    fs, seen, at = Listed([f"f{number}" for number in range(7)]), [], 0
    while True:
        buffer = Buffer(room=2)
        operations = listing_operations(fs, buffer)
        handle = await operations.opendir(1, cast("Any", Context()))
        await operations.readdir(handle, at, None)
        if not buffer.lines:
            break
        seen += buffer.lines
        at = buffer.lines[-1][2]

    assert [name for name, _, _ in seen] == [b".", b"..", *(node.shown.encode() for node in fs.nodes)]
    assert [cookie for _, _, cookie in seen] == sorted({cookie for _, _, cookie in seen})


async def test_a_listing_that_is_read_from_its_beginning_again_is_taken_anew() -> None:
    """rewinddir(3) comes without an opendir."""
    fs, buffer = Listed(["a"]), Buffer(room=10)
    operations = listing_operations(fs, buffer)
    handle = await operations.opendir(1, cast("Any", Context()))
    await operations.readdir(handle, 0, None)
    fs.nodes.append(Node(11, is_folder=False, parent=fs.root, shown="b"))

    await operations.readdir(handle, 3, None)
    unchanged = [name for name, _, _ in buffer.lines]
    await operations.readdir(handle, 0, None)

    assert unchanged == [b".", b"..", b"a"]
    assert [name for name, _, _ in buffer.lines[3:]] == [b".", b"..", b"a", b"b"]


async def test_only_what_the_kernel_took_is_counted() -> None:
    """The line that found no room is not known to the kernel, and neither are the two dots counted."""
    fs, buffer = Listed(["a", "b"]), Buffer(room=3)
    operations = listing_operations(fs, buffer)
    handle = await operations.opendir(1, cast("Any", Context()))

    await operations.readdir(handle, 0, None)

    assert [node.kernel for node in fs.nodes] == [True, False]
    assert fs.unused_nodes == [fs.nodes[1]]


async def test_attributes_are_translated_whole() -> None:
    """What stat(1) prints."""
    operations = listing_operations(Listed(["a"]), Buffer(0))

    entry = await operations.lookup(1, b"a", cast("Any", Context()))

    assert (entry.st_ino, entry.st_mode, entry.st_nlink) == (10, stat.S_IFREG | 0o640, 1)
    assert (entry.st_uid, entry.st_gid, entry.st_size, entry.st_blocks) == (7, 8, 1_000, 2)
    assert entry.st_mtime_ns == entry.st_atime_ns == entry.st_ctime_ns == 1_234_567_000_000
    assert entry.entry_timeout == entry.attr_timeout == 12.5


async def test_an_absent_name_is_an_answer_that_the_kernel_keeps() -> None:
    """Inode 0 with a timeout; ENOENT would be asked again at once."""
    operations = listing_operations(Listed([]), Buffer(0))

    entry = await operations.lookup(1, b"4.5", cast("Any", Context()))

    assert (entry.st_ino, entry.entry_timeout) == (0, 4.5)


async def test_an_absence_that_may_not_be_believed_is_enoent() -> None:
    """A timeout of zero would still be an entry."""
    operations = listing_operations(Listed([]), Buffer(0))

    with pytest.raises(FUSEError) as answer:
        await operations.lookup(1, b"0", cast("Any", Context()))

    assert answer.value.errno == errno.ENOENT


async def test_an_account_over_its_quota_has_no_room_and_no_less() -> None:
    """df must not show a negative number as a huge one."""
    space = await listing_operations(Listed([]), Buffer(0)).statfs(cast("Any", Context()))

    assert (space.f_blocks * space.f_bsize, space.f_bavail, space.f_namemax) == (10 << 20, 0, 255)


@pytest.mark.parametrize("mode", [stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK])
async def test_only_regular_files_are_made(mode: int) -> None:
    """CX has nothing else."""
    with pytest.raises(FUSEError) as answer:
        await listing_operations(Listed([]), Buffer(0)).mknod(1, b"a", mode | 0o644, 0, cast("Any", Context()))

    assert answer.value.errno == errno.EPERM


async def test_unknown_rename_flags_are_refused() -> None:
    """RENAME_WHITEOUT and what may come: better refused than ignored."""
    with pytest.raises(FUSEError) as answer:
        await listing_operations(Listed([]), Buffer(0)).rename(1, b"a", 1, b"b", 4, cast("Any", Context()))

    assert answer.value.errno == errno.EINVAL
