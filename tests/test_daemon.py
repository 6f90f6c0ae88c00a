"""What the daemon asks of the machine before it mounts; what it does then is for tests/mounted."""

from __future__ import annotations

import resource

from cxfs.daemon import allow_descriptors


def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    """A checkout of some thousand files, each a draft that waits, must not end at the usual 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        allow_descriptors()

        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
