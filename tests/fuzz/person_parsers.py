"""What people and their machines tell the client: configuration, options of a mount, its socket, other daemons."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Final

import click
from click.testing import CliRunner

from cxfs import mounts
from cxfs.cli import mount_helper, words
from cxfs.config import Config, ConfigError, edited, parse as parse_config, with_default
from cxfs.control.protocol import Done, Failure, Progress, Request, RequestError, parse_answer
from cxfs.core.local_names import LocalNames, parse_patterns
from cxfs.mount_options import MountOptions
from cxfs.upkeep.service_manager import ServiceManager
from tests.fuzz.parser import Parser, text_of

FILE: Final = Path("/etc/cxfs/config.toml")


# ---------------------------------------------------------------- the control socket


def request(line: bytes) -> None:
    """What is understood is said in the same words."""
    found = Request.parse(line)
    assert Request.parse(found.line()) == found


def answer(line: bytes) -> None:
    """A command never stumbles over what a daemon of another time says."""
    found = parse_answer(line)
    assert found is None or parse_answer(found.line()) == found


# ---------------------------------------------------------------- the configuration

CONFIG: Final = (
    b"""default_profile = "work"

# mine
[profiles.work]
api_url = "https://cx.example.org:8443/a"
ca_file = "ca.pem"
allow_http = false
options = "ro,uid=1000"
mountpoint = "~/cx"
""",
    b'[profiles]\nwork = { api_url = "http://127.0.0.1:80", allow_http = true, token_command = "x" }\nhome = {}\n',
    b'profiles.work.client_id = "abc"\nprofiles.work.redirect_uri = "https://127.0.0.1/"\n',
)


def configuration(content: bytes) -> Config:
    """A token goes to no host that was not written down, and never in the clear to another machine."""
    found = parse_config(content, FILE)
    for name, profile in found.profiles.items():
        assert name == profile.name == Path(name).name
        for url in (profile.api_url, profile.data_url, profile.auth_url):
            assert url.startswith("https://") or profile.allow_http
        for path in (profile.ca_file, profile.token_file, profile.mountpoint):
            assert path is None or path.is_absolute()
    return found


def changed_configuration(content: bytes) -> None:
    """Whatever can be read can be added to, and the rest stays as it was; or the change is refused."""
    with tempfile.TemporaryDirectory(prefix="cxfs-test-") as folder:
        file = Path(folder, "config.toml")
        file.write_bytes(content)
        before = parse_config(content, file)
        change = edited(before, "work", {"api_url": "https://new.example.org", "data_url": None})
        change.write()
        after = parse_config(file.read_bytes(), file)
        assert after.profile("work").api_url == "https://new.example.org"
        assert {**after.profiles, "work": None} == {**before.profiles, "work": None}
        with_default(after, "work").write()
        assert parse_config(file.read_bytes(), file).default_profile == "work"


# ---------------------------------------------------------------- options of a mount

WORDS: Final = (
    b"ro,uid=1000,gid=0,umask=022,cache_size=1.5GiB,metadata_ttl=2m,sync=remote",
    rb"defaults,_netdev,x-systemd.automount,root=/a\,b\\c,local_only=*.o:.~lock.*,uploads=4",
    b"noexec,exec,allow_other,nogroups,fsname=work:/a b,drain_timeout=0.5,data_deadline=1h,draft_size=10 G",
)


def mount_words(raw: bytes) -> None:
    """What came through is what the daemon's options take, and a word escaped as fstab does comes back the same."""
    text = text_of(raw)
    split = words.split_words(text)
    assert words.split_words(",".join(word.replace("\\", "\\\\").replace(",", "\\,") for word in split)) == split
    for word in split:
        words.is_known(word)
    found = words.parse_words([text])
    assert found.keys() <= {each.name for each in fields(MountOptions)}
    options = MountOptions(**found)
    assert options.session_limits.upload_requests_max >= 1
    assert options.of_the_volume.draft_bytes_max >= 0


def fstab_line(raw: bytes) -> None:
    """As mount(8) hands it on, with `-f`: everything is checked, nothing is mounted."""
    source, _, rest = text_of(raw).replace("\0", "").partition(" ")
    found = CliRunner().invoke(mount_helper.mount, ["-f", "-o", rest, "--", source, "/mnt"], catch_exceptions=False)
    assert found.exit_code in {0, 2}, found.output


def patterns(raw: bytes) -> None:
    """Whatever is taken can be compared with names, and does not fit all of them."""
    found = LocalNames(parse_patterns(text_of(raw)))
    assert not all(name in found for name in ("letter.odt", "a", "\n", "", ".hidden", "[", "é"))


# ---------------------------------------------------------------- other mounts, and the service manager


def mount_record(raw: bytes) -> None:
    """What cannot be read is nothing: no command stumbles over another daemon's file."""
    found = mounts.record_in(raw)
    if found is not None:
        assert isinstance(found.pid, int)
        assert isinstance(found.mountpoint, Path)
        assert found.left is None or str(found.left)


def watchdog(raw: bytes) -> None:
    """Words that make no sense are none."""
    environ = {"NOTIFY_SOCKET": "@nobody", "WATCHDOG_USEC": text_of(raw), "OTHER": ""}
    with closing(ServiceManager.of(environ)) as manager:
        assert environ == {"OTHER": ""}
        assert manager.watchdog_s is None or manager.watchdog_s > 0


def status_line(raw: bytes) -> None:
    """One line, whatever stands in it: the next one would be another word to the service manager."""
    told: list[dict[str, object]] = []

    class Listening(ServiceManager):
        def _tell(self, **words: object) -> None:
            told.append(words)

    Listening().status(text_of(raw))
    assert [each.keys() for each in told] == [{"STATUS"}]
    assert "\n" not in str(told[0]["STATUS"])


PARSERS: Final = (
    Parser(
        "cxfs.control.protocol: Request.parse",
        request,
        (Request("sync", {"path": "a/b"}).line(), Request("status").line()),
        (RequestError,),
        (b'"cxfs":1', b'"verb"', b'"arguments":{}'),
    ),
    Parser(
        "cxfs.control.protocol: parse_answer",
        answer,
        (Progress({"left": 3}).line(), Done({"a": [1]}).line(), Failure("refused", "no").line()),
    ),
    Parser(
        "cxfs.config.profiles: parse",
        configuration,
        CONFIG,
        (ConfigError,),
        (
            b"[profiles.work]\n",
            b'api_url = "',
            b"= true",
            b"= 1979-05-27T07:32:00Z",
            b"[[profiles]]\n",
            b"https://[",
            b"a.b",
        ),
    ),
    Parser(
        "cxfs.config.editing: edited",
        changed_configuration,
        CONFIG[:2],
        (ConfigError,),
        (b"[profiles.work]\n", b'data_url = "https://d"\n', b"profiles = {}\n", b"# x\n", b"[other]\n"),
    ),
    Parser(
        "cxfs.cli.words: parse_words",
        mount_words,
        WORDS,
        (click.UsageError,),
        (b"uid=", b"cache_size=", b"root=/", b"umask=", b"metadata_ttl=", b"local_only=", b"10G", b"\\,"),
    ),
    Parser(
        "cxfs.cli.mount_helper: mount",
        fstab_line,
        (b"work: ro,setuid=1000,config=/etc/cxfs.toml", b"work:/a/b _netdev,x-y=z"),
    ),
    Parser(
        "cxfs.core.local_names: parse_patterns",
        patterns,
        (b".~lock.*#:*.o", b"[a-z].tmp:?.bak"),
        (ValueError,),
        (b"[!", b"[]", b"[z-a]", b"**", b"(?", b":*:", b"\\"),
    ),
    Parser(
        "cxfs.mounts: record_in",
        mount_record,
        (
            b'{"pid": 1, "mountpoint": "/a", "root": "/", "control": null, "draining": false, "left": null}',
            b'{"pid": 1, "mountpoint": "/a", "control": "/c", "left": {"count": 2, "parked": 1, "named": ["a"]}}',
        ),
        words=(b'"pid": ', b'"left": ', b"1e999", b'"count": Infinity'),
    ),
    Parser("cxfs.upkeep.service_manager: ServiceManager.of", watchdog, (b"30000000",)),
    Parser("cxfs.upkeep.service_manager: ServiceManager.status", status_line, (b"online, 3 uploads", b"a\nREADY=1")),
)
