"""Reading through a real mount: what it costs in requests and memory, and that it brings the bytes of the file."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from cxfs.fuse.kernel_readahead import READ_AHEAD_KIB
from tests.mounting import Account, CountingServer, Mount, wait_until

MIB = 1 << 20
SIZE = 256 * MIB


@pytest.fixture
def large_file(running_server: CountingServer, own_account: Account, tmp_path: Path) -> Path:
    """The original of `/large`, which the account holds."""
    original = tmp_path / "tree" / "large"
    original.parent.mkdir()
    pattern = random.Random(7).randbytes(MIB)
    with original.open("wb") as file:
        for number in range(SIZE // MIB):
            file.write(number.to_bytes(8, "big") + pattern[8:])
    running_server.import_tree(original.parent, own_account)
    return original


def downloads(server: CountingServer, since: int) -> int:
    return sum(1 for line in server.requests()[since:] if line.startswith("GET /1/data"))


def peak_memory_mb(mount: Mount) -> int:
    status = Path(f"/proc/{mount.daemon_pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) >> 10 for line in status.splitlines() if line.startswith("VmHWM"))


def test_a_large_file_is_read_in_few_requests_and_little_memory(
    large_file: Path, own_account: Account, running_server: CountingServer, tmp_path: Path
) -> None:
    """Each request costs a millisecond at both ends; a GiB takes four times as many as these. No byte comes twice."""
    with Mount(own_account, tmp_path / "home") as mount:
        before, bytes_before = len(running_server.requests()), running_server.content_bytes()

        mount.run("cmp", large_file, mount.path / "large")

        assert downloads(running_server, before) <= 75
        assert SIZE <= running_server.content_bytes() - bytes_before <= 1.02 * SIZE
        assert peak_memory_mb(mount) <= 256


def test_the_kernel_reads_further_ahead_where_the_daemon_may_say_so(own_account: Account, tmp_path: Path) -> None:
    """Root may. For others it stays as it is with all mounts."""
    with Mount(own_account, tmp_path / "home") as mount:
        device = mount.path.stat().st_dev
        setting = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
        expected = READ_AHEAD_KIB if os.access(setting, os.W_OK) else 128

        wait_until(lambda: int(setting.read_text()) == expected)


@pytest.mark.parametrize("end", ["head", "tail"])
def test_a_look_at_either_end_costs_one_request(
    large_file: Path, own_account: Account, running_server: CountingServer, tmp_path: Path, end: str
) -> None:
    """What file managers and file(1) do to everything they see."""
    with Mount(own_account, tmp_path / "home") as mount:
        before, bytes_before = len(running_server.requests()), running_server.content_bytes()

        mount.run("sh", "-c", f"{end} -c 1 {mount.path}/large >{tmp_path}/byte")

        assert downloads(running_server, before) == 1
        assert 0 < running_server.content_bytes() - bytes_before <= 256 << 10


JUMPS = """
import os, random, sys
lot = random.Random(3)
mounted, original = (os.open(path, os.O_RDONLY) for path in sys.argv[1:3])
os.posix_fadvise(mounted, 0, 0, os.POSIX_FADV_RANDOM)
size = os.fstat(original).st_size
for _ in range(2000):
    at, length = lot.randrange(size), lot.randrange(1, 200_000)
    assert os.pread(mounted, length, at) == os.pread(original, length, at), (at, length)
print("the same")
"""


def test_readers_that_jump_about_side_by_side_read_the_bytes_of_the_file(
    large_file: Path, own_account: Account, running_server: CountingServer, tmp_path: Path
) -> None:
    """Two processes, one file, a cache that holds a quarter of it; and the daemon's memory stays small."""
    with Mount(own_account, tmp_path / "home", "--cache-size", "64M") as mount:
        readers = [mount.spawn(JUMPS, mount.path / "large", large_file) for _ in range(2)]

        assert [mount.ending_of(reader) for reader in readers] == [0, 0]
        assert peak_memory_mb(mount) <= 256


def test_a_file_is_read_backwards_in_few_requests(
    large_file: Path, own_account: Account, running_server: CountingServer, tmp_path: Path
) -> None:
    """`tac`, and archives whose contents stand at the end."""
    backwards = (
        "import os, sys\n"
        "mounted, original = (os.open(path, os.O_RDONLY) for path in sys.argv[1:3])\n"
        "size = os.fstat(original).st_size\n"
        "for at in range(size - 65536, -1, -65536):\n"
        "    assert os.pread(mounted, 65536, at) == os.pread(original, 65536, at), at\n"
    )
    with Mount(own_account, tmp_path / "home") as mount:
        before = len(running_server.requests())

        mount.python(backwards, mount.path / "large", large_file)

        assert downloads(running_server, before) <= 100
