"""What can be asked of a mount, and what that means for its session and its volume. Reads no command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from cxfs.core.freshness import patience_s
from cxfs.core.local_names import DEFAULT_PATTERNS
from cxfs.fs.surroundings import VolumeOptions
from cxfs.remote.lane_set import SessionLimits

GROUPS_REFRESH_S_MIN: Final = 1.0
"""The account's groups are asked for as often as names are believed, but no mount hammers its server."""


@dataclass(frozen=True, slots=True)
class MountOptions:
    """How an account is mounted. Times in seconds, sizes in bytes; `root` is the folder of the account to mount.

    `groups`: a mount of the whole account shows the groups beside the account's own tree. `notifications`: the desktop
    is told of what a person should see to. `versions`: every folder has `.versions`. `source` stands in the kernel's
    table of mounts, `cxfs:PROFILE` unless it was said otherwise.
    """

    allow_other: bool = False
    read_only: bool = False
    no_exec: bool = False
    uid: int | None = None
    gid: int | None = None
    umask: int = 0o022
    metadata_ttl_s: float = 30.0
    negative_ttl_s: float = 5.0
    feed_ttl_s: float = 600.0
    metadata_deadline_s: float = 10.0
    data_deadline_s: float = 60.0
    cache_bytes_max: int = 10 << 30
    draft_bytes_max: int = 100 << 30
    uploads_max: int = 8
    drain_timeout_s: float = 60.0
    sync_remote: bool = False
    root: str = "/"
    groups: bool = True
    source: str | None = None
    notifications: bool = True
    local_only: tuple[str, ...] = DEFAULT_PATTERNS
    versions: bool = False

    @property
    def session_limits(self) -> SessionLimits:
        """Where the mount has a say: as many connections as uploads, and the deadlines of its calls."""
        return SessionLimits(
            upload_requests_max=self.uploads_max,
            metadata_deadline_s=self.metadata_deadline_s,
            no_progress_s=self.data_deadline_s,
        )

    @property
    def of_the_volume(self) -> VolumeOptions:
        """The file system's share; files belong to who mounts unless it was said otherwise."""
        return VolumeOptions(
            uid=os.getuid() if self.uid is None else self.uid,
            gid=os.getgid() if self.gid is None else self.gid,
            umask=self.umask,
            read_only=self.read_only,
            draft_bytes_max=self.draft_bytes_max,
            uploads_max=self.uploads_max,
            stall_s=self.data_deadline_s,
            patience_s=patience_s(self.metadata_deadline_s),
            groups=self.groups,
            follows=self.feed_ttl_s > 0,
            feed_ttl_s=self.feed_ttl_s,
            groups_refresh_s=max(GROUPS_REFRESH_S_MIN, self.metadata_ttl_s),
            sync_remote=self.sync_remote,
            local_only=self.local_only,
            versions=self.versions,
        )
