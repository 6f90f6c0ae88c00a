"""stress-ng's stressors of file systems: each does one kind of call as often as it can, and verifies the answers."""

from __future__ import annotations

from typing import Final

from tests.applications.application import Application

_SLOW: Final = {"link", "symlink", "inotify", "dnotify", "fpunch", "mmap", "xattr", "fsize"}
"""They sleep between two tries, or do much in each."""

_COUNTED: Final = "grep -q 'bogo-ops: [1-9]' ~/counted"

_NO_IOCTL: Final = "the kernel hands such calls to no mount of FUSE that has no block device below it"

_NO_ROOM: Final = (
    "fallocate(2) fails with EOPNOTSUPP, since no server keeps room free; posix_fallocate(3) writes instead"
)
_NO_HOLES: Final = "no hole is made, fallocate(2) fails with EOPNOTSUPP: the server keeps bytes, and zeros are some"


def _stressor(
    name: str, *options: str, times: int = 10, worked: str = _COUNTED, refusal: str = "", remark: str = ""
) -> Application:
    words = " ".join((f"stress-ng --{name} {{workers}}", *options, f"--{name}-ops {{times}} --timeout {{seconds}}"))
    return Application(
        name=f"stress-ng --{name}",
        program="stress-ng",
        package="stress-ng",
        command=f"{words} --verify --temp-path . --metrics --yaml ~/counted",
        sizes={"workers": (1, 4), "times": (times, 1_000_000), "seconds": (2, 20 if name in _SLOW else 3)},
        holds="stress-ng calls it, finds no wrong answer, and leaves nothing behind",
        check=f'{worked}\ntest -z "$(ls -A)"',
        is_large=name in _SLOW,
        refusal=refusal,
        remark=remark,
    )


STRESSORS: Final = (
    _stressor("access"),
    _stressor("aio"),
    _stressor("chdir", "--chdir-dirs 64"),
    _stressor("chmod", times=1),
    _stressor("chown"),
    _stressor("copy-file", "--copy-file-bytes 128m"),
    _stressor("dentry", "--dentries 64"),
    _stressor("dir", "--dir-dirs 64"),
    _stressor("dirdeep", "--dirdeep-inodes 64"),
    _stressor("dirmany", "--dirmany-bytes 0"),
    _stressor("dnotify"),
    _stressor("dup"),
    _stressor("fallocate", "--fallocate-bytes 1m", times=1, remark=_NO_ROOM),
    _stressor("fcntl"),
    _stressor("filename", "--filename-opts posix", times=1),
    _stressor("flock"),
    _stressor("fpunch", times=1, remark=_NO_HOLES),
    _stressor("fstat"),
    _stressor("getdent"),
    _stressor("hdd", "--hdd-bytes 1m"),
    _stressor("inotify"),
    _stressor("iomix", "--iomix-bytes 1m", times=1),
    _stressor("lease"),
    _stressor("locka"),
    _stressor("lockf"),
    _stressor("lockofd"),
    _stressor("mknod"),
    _stressor("mmap", "--mmap-file --mmap-bytes 1m", times=1),
    _stressor("msync", "--msync-bytes 1m"),
    _stressor("open"),
    _stressor("readahead", "--readahead-bytes 1m"),
    _stressor("rename"),
    _stressor("revio", "--revio-bytes 1m"),
    _stressor("seek", "--seek-size 1m"),
    _stressor("sendfile", times=1),
    _stressor("splice"),
    _stressor("sync-file", "--sync-file-bytes 1m", times=1),
    _stressor("touch"),
    _stressor("utime"),
    _stressor(
        "link", refusal="link calls not allowed", remark="CX has one name for an object: hard links fail with EPERM"
    ),
    _stressor("symlink"),
    _stressor(
        "xattr",
        worked=":",
        remark="a round of it sets 4,096 attributes of one file, each of which is kept at once: it need not end",
    ),
    _stressor("fiemap", refusal="not supported", remark=_NO_IOCTL),
    _stressor("fsize", refusal="Disk quota exceeded", remark="the quota of the account ends before 2^48 bytes do"),
    _stressor("verity", refusal="not supported", remark=_NO_IOCTL),
)
