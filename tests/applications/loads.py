"""Programs made to find the faults of file systems: they write what they recognise, and look whether it is there."""

from __future__ import annotations

from functools import partial
from typing import Final

from tests.applications.application import Application
from tests.applications.stressors import STRESSORS

_fio = partial(
    Application,
    program="fio",
    package="fio",
    sizes={"bytes": (1_048_576, 16_777_216)},
    holds="fio verifies the checksum of every block that it wrote",
)

LOADS: Final = (
    *(
        _fio(
            name=f"fio, random reads and writes by {engine}",
            command=f"""\
fio --name=blocks --filename=blocks --rw=randrw --ioengine={engine} {more} --size={{bytes}} --verify=crc32c \
--verify_fatal=1 --verify_state_save=0""",
            check="""\
fio --name=blocks --filename=blocks --rw=randrw --ioengine=psync {more} --size={bytes} --verify=crc32c --verify_only \
--verify_fatal=1 --verify_state_save=0""".replace("{more}", size),
        )
        for engine, more, size in (
            ("psync", "--bsrange=512-64k", "--bsrange=512-64k"),
            ("mmap", "--bs=4k", "--bs=4k"),
            ("libaio", "--bs=4k --iodepth=16 --direct=1", "--bs=4k"),
            ("io_uring", "--bs=4k --iodepth=16", "--bs=4k"),
        )
    ),
    _fio(
        name="fio, four writers",
        command="""\
fio --name=writer --numjobs=4 --directory=. --rw=randwrite --ioengine=psync --bs=4k --size={bytes} --fsync=64 \
--verify=crc32c --verify_fatal=1 --verify_state_save=0""",
        check='test "$(stat -c %s writer.*.0 | sort -u)" = {bytes}',
        sizes={"bytes": (1_048_576, 8_388_608)},
    ),
    Application(
        name="bonnie++",
        program="bonnie++",
        is_large=True,
        package="bonnie++",
        command="bonnie++ -d . -u root -s {mib} -r $(({mib} / 2)) -n {files}:1000:0:4 -f -q",
        sizes={"mib": (8, 32), "files": (0, 1)},
        holds="it reads what it wrote, and removes what it made",
        check='test -z "$(ls -A)"',
        remark="without its reading and writing of single characters (-f): each would be a request of the kernel's",
    ),
    Application(
        name="dbench",
        program="dbench",
        package="dbench",
        command="dbench -D . -c /usr/share/dbench/client.txt -t {seconds} 4",
        sizes={"seconds": (1, 10)},
        holds="none of a file server's calls failed",
        check="test -d clients",
    ),
    *STRESSORS,
)
