"""Why a case ends otherwise in a mount: marks for it, each with a sentence of docs/semantics.md."""

from __future__ import annotations

from errno import EDQUOT, EINVAL, ENAMETOOLONG, EOPNOTSUPP, EPERM
from typing import Final

import pytest

NO_HARD_LINKS: Final = pytest.mark.differs(EPERM, "Hard links fail with EPERM: CX has one name for an object.")
LONG_TARGETS: Final = pytest.mark.differs(
    ENAMETOOLONG,
    "Symbolic links work, up to targets of 1,024 bytes; for whoever knows no links, each is a small file that tells "
    "where it leads.",
)
NO_DEVICES: Final = pytest.mark.differs(
    EPERM, "Named pipes, sockets and devices fail with EPERM: CX has files and folders."
)
NAMES_ARE_TEXT: Final = pytest.mark.differs(EINVAL, "A name that is not UTF-8 cannot be made: that fails with EINVAL.")
NEW_BELONG_TO_THE_MOUNT: Final = pytest.mark.differs(
    AssertionError, "What is made belongs to whom `uid=` and `gid=` name, whoever makes it."
)
SAME_SIZE_CHANGES_NOTHING: Final = pytest.mark.differs(
    AssertionError, "Truncating a file to the size that it has changes nothing, its time included."
)
QUOTA_COMES_FIRST: Final = pytest.mark.differs(
    EDQUOT,
    "A write that would pass the account's free quota, counting what waits to be uploaded, fails with EDQUOT at the "
    "write, not later.",
)
ONE_TIME: Final = pytest.mark.differs(
    AssertionError, "CX keeps one time for an object: the times of access and change show that of modification."
)
NO_UNNAMED_FILES: Final = pytest.mark.differs(
    EOPNOTSUPP, "O_TMPFILE fails with EOPNOTSUPP, after which programs make a file with a name."
)
NOTHING_IS_RESERVED: Final = pytest.mark.differs(
    EOPNOTSUPP, "fallocate fails with EOPNOTSUPP, after which posix_fallocate writes what it would have reserved."
)
