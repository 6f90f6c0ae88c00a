"""Real mounts for tests: an account on a real server, `cxfs mount` over it, and programs that work there in time.

A test never hangs on a mount that does: a program that takes too long ends with the daemon, whose end the kernel tells
to every waiting call; and a mount that outlives its time is ended in the same way.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import quote

import httpx

from cxfs import mounts
from cxfs.control.client import ControlClient
from cxfs.control.place import socket_path
from cxfs.fuse.mounting import mounted_at
from cxfs.server import administration
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

PROGRAM_TIMEOUT_S: Final = 60.0
MOUNT_LIFE_S_MAX: Final = 240.0
"""Far above what the tests of one mount take together; what still waits then fails."""
POLL_S: Final = 0.02
PROFILE: Final = "test"
LISTENS: Final = "GET /1/files/changes/"

T = TypeVar("T")

_COUNTING_PROGRAM: Final = """
import os
import sys
from pathlib import Path
from urllib.parse import quote

from cxfs.server import serving

directory, host, port, insecure = sys.argv[1:]
count = os.open(Path(directory, "requests"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
answers = os.open(Path(directory, "answers"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
make_app = serving.make_app

class Counting:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            os.write(count, f"{scope['method']} {scope['path']}\\n".encode().replace(b"\\0", b""))

        async def counted(message):
            if message["type"] == "http.response.start":
                length = dict(message["headers"]).get(b"content-length", b"0")
                os.write(answers, quote(scope["path"]).encode() + b" " + length + b"\\n")  # names hold anything
            await send(message)

        await self.app(scope, receive, counted)

def make_counting_app(*parts, **more):
    app = make_app(*parts, **more)
    app.add_middleware(Counting)
    return app

serving.make_app = make_counting_app
say = lambda url: print(url, flush=True)
serving.serve(Path(directory), host=host, port=int(port), insecure=insecure == "True", on_ready=say)
"""


class CountingServer(ServerProcess):
    """A real server process over TLS that notes every request it gets."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, program=_COUNTING_PROGRAM)

    def requests(self) -> list[str]:
        """`METHOD ADDRESS` of all so far, without parameters; those that listen for changes are not among them."""
        return [line for line in self._all_requests() if not line.startswith(LISTENS)]

    def questions_for_changes(self) -> int:
        """How many there were so far."""
        return sum(1 for line in self._all_requests() if line.startswith(LISTENS))

    def _all_requests(self) -> list[str]:
        return (self.directory / "requests").read_text(encoding="utf-8", errors="replace").splitlines()

    def content_bytes(self) -> int:
        """Of all files' content that it has answered with so far, as the lengths of its answers tell."""
        lines = (self.directory / "answers").read_text(encoding="ascii").splitlines()
        return sum(int(line.rpartition(" ")[2]) for line in lines if line.startswith("/1/data/"))

    def import_tree(self, folder: Path, account: Account, to: str = "/") -> None:
        """A tree of this machine into the account, without a request."""
        with administration.open_store(self.directory) as store:
            administration.import_tree(store, account.name, folder, to, progress=lambda _files, _bytes: None)


class Account:
    """An account as somebody else with its token sees it: plain HTTP, nothing of the client. Paths are readable.

    `owner` is whose tree it shows: the account's own, or that of a group it is in.
    """

    def __init__(
        self, url: str, token: str, *, ca_file: Path | None = None, name: str = "", owner: str = "self"
    ) -> None:
        self.name = name
        self.owner = owner
        self.url = url
        self.token = token
        self.ca_file = ca_file
        trust: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca_file) if ca_file else False
        self._client = httpx.Client(base_url=url, verify=trust, params={"access_token": token}, timeout=30)

    def close(self) -> None:
        """Ends its connections."""
        self._client.close()

    def describe(self, path: str) -> dict[str, Any]:
        """The File object."""
        return self._ask("GET", f"/1/files/info/{self._address(path)}")

    def entries(self, folder: str = "/") -> list[dict[str, Any]]:
        """The File objects in a folder, page by page; a folder that is not there (yet) holds none."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self._client.get(f"/1/files/list/{self._address(folder)}", params={"offset": len(found)})
            if answer.status_code == 404:
                return found
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["entries"]
            if len(found) >= page["total"]:
                return found

    def names(self, folder: str = "/") -> set[str]:
        """Of what is in a folder."""
        return {entry["name"] for entry in self.entries(folder)}

    def content(self, path: str, *, version: int | None = None) -> bytes:
        """Of a file, as it is or as it was."""
        which = {} if version is None else {"version": version}
        answer = self._client.get(f"/1/data/{self._address(path)}", params=which)
        assert answer.status_code == 200, answer.text
        return answer.content

    def versions(self, path: str) -> list[dict[str, Any]]:
        """The File objects of a file's history, newest first."""
        found = self._ask("GET", f"/1/files/versions/{self._address(path)}")["versions"]
        assert isinstance(found, list)
        return found

    def tree(self, folder: str = "/") -> dict[str, str]:
        """Every path below a folder with the checksum of its content; `folder` for a folder."""
        found = {}
        for entry in self.entries(folder):
            path = f"{folder.rstrip('/')}/{entry['name']}"
            if entry["isDir"]:
                found[entry["name"]] = "folder"
                found |= {f"{entry['name']}/{below}": what for below, what in self.tree(path).items()}
            else:
                answer = self._client.get(f"/1/data/{self._address(path)}")
                found[entry["name"]] = checksum(answer.content) if answer.status_code == 200 else "gone meanwhile"
        return found

    def put(self, path: str, content: bytes, **fields: str) -> dict[str, Any]:
        """A new file, or a new version of one."""
        return self._ask("POST", f"/1/data/{self._address(path)}", data=fields, files={"file": content})

    def make_folder(self, path: str) -> None:
        """A new folder."""
        self._ask("POST", f"/1/files/mkdir/{self._address(path)}")

    def delete(self, path: str) -> None:
        """A file, or a folder with all that is in it."""
        self._ask("POST", f"/1/files/delete/{self._address(path)}")

    def move(self, path: str, to: str) -> None:
        """Renames."""
        self._ask("POST", f"/1/files/move/{self._address(path)}", data={"to": f"{self.owner}:{to}"})

    def _address(self, path: str) -> str:
        return f"{self.owner}:{quote(path, safe='')}"

    def _ask(self, method: str, address: str, **rest: Any) -> dict[str, Any]:
        # httpx encodes what it is given as one string; the parameters of an address would replace its query.
        mark = "&" if "?" in address else "?"
        answer = self._client.request(method, f"{address}{mark}access_token={self.token}", params=None, **rest)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert isinstance(found, dict)
        return found


class Mount:
    """`cxfs mount` of an account at `path`, in a home of its own; programs run in it by `run`. Always `end` it.

    The home has the profile PROFILE, signed in by a token file; with `profile` it has none, and that will be its name.
    After `life_s` seconds it is ended, whoever uses it, and so it is when a program takes over `program_s` seconds.
    """

    def __init__(
        self,
        account: Account,
        home: Path,
        *options: str,
        prefix: Sequence[str] = (),
        profile: str | None = None,
        life_s: float = MOUNT_LIFE_S_MAX,
        program_s: float = PROGRAM_TIMEOUT_S,
    ) -> None:
        self.account = account
        self.home = home
        self.path = home / "mnt"
        self.state_folder = home / "state" / "cxfs" / (profile or PROFILE)
        self.log_file = self.state_folder / "cxfs.log"
        self._options = options
        self._prefix = tuple(prefix)
        self._guard: threading.Timer | None = None
        self._life_s = life_s
        self._program_s = program_s
        self._config_file = None if profile else home / "config.toml"
        self.path.mkdir(parents=True)
        if self._config_file is not None:
            _write_profile(self._config_file, account)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def environment(self) -> dict[str, str]:
        """Of every program that is run: nothing of the person's own."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            **({} if self._config_file is None else {"CXFS_CONFIG": str(self._config_file)}),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    @property
    def is_mounted(self) -> bool:
        """Whether the kernel has a mount there, living or dead."""
        return mounted_at(self.path) is not None

    @property
    def daemon_pid(self) -> int:
        """Of the process that serves the mount."""
        record = mounts.read_record(self.state_folder)
        assert record is not None
        return record.pid

    @property
    def is_served(self) -> bool:
        """Whether a daemon runs."""
        return mounts.is_held(self.state_folder)

    def address(self, path: Path) -> str:
        """The path in the account of a path in the mount."""
        return f"/{path.relative_to(self.path).as_posix()}"

    def forgets(self, path: Path) -> None:
        """Nothing is believed of it any more, whatever was looked at ahead: what `cxfs refresh` does."""
        with ControlClient(socket_path(self.state_folder, self.environment)) as client:
            client.ask("refresh", path=self.address(path).removeprefix("/"))

    def start(self, *options: str) -> None:
        """Mounts it, with further options; returns when it answers."""
        done = self.cxfs("mount", *self._options, *options, str(self.path))
        assert done.returncode == 0, f"cxfs mount: {done.stderr}\n{self.log()}"
        self._guard = threading.Timer(self._life_s, self.kill)
        self._guard.daemon = True
        self._guard.start()

    def unmount(self) -> None:
        """`cxfs umount`, which must succeed: what was written is on the server then."""
        done = self.cxfs("umount", str(self.path))
        assert done.returncode == 0, f"cxfs umount: {done.stderr}\n{self.log()}"

    def remount(self) -> None:
        """Another daemon, which knows only what the server and the state folder tell."""
        self.unmount()
        self.start()

    def cxfs(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of cxfs, whatever its status."""
        return self._completed([*self._prefix, sys.executable, "-m", "cxfs", *arguments], self.home, None)

    def run(self, *command: str | Path, cwd: Path | None = None, text: str | None = None) -> str:
        """What a program says on its standard output; it must end in time and succeed."""
        done = self._completed([*self._prefix, *map(str, command)], cwd or self.home, text)
        assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stderr}\n{self.log()}"
        return done.stdout

    def attempt(self, *command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A program that may fail, but in time."""
        return self._completed([*self._prefix, *map(str, command)], cwd or self.home, None)

    def python(self, program: str, *arguments: str | Path) -> str:
        """What a Python program prints: for calls that would take the test's own process along if they hung."""
        return self.run(sys.executable, "-c", program, *arguments)

    def spawn(self, program: str, *arguments: str | Path) -> subprocess.Popen[str]:
        """A Python program that runs beside the test, its input and output piped. `with` waits for its end."""
        return subprocess.Popen(
            [*self._prefix, sys.executable, "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def ending_of(self, process: subprocess.Popen[str]) -> int:
        """The exit status of a spawned program, which must end in time; its pipes are closed."""
        try:
            process.communicate(timeout=self._program_s)
        except subprocess.TimeoutExpired:
            self.kill()
            process.kill()
            process.communicate()
        return process.returncode

    def kill(self) -> None:
        """Ends the daemon as a power cut would. Does nothing when none runs."""
        if self.is_served:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.daemon_pid, signal.SIGKILL)

    def end(self) -> None:
        """Nothing is left of it, in whatever state it is: no daemon, no mount."""
        if self._guard is not None:
            self._guard.cancel()
        self.kill()
        while self.is_mounted:
            program = ["umount", "--lazy"] if os.geteuid() == 0 else ["fusermount3", "-uz"]
            subprocess.run([*program, str(self.path)], check=True, timeout=30)
        wait_until(lambda: not self.is_served)

    def log(self) -> str:
        """What the daemon has said, for the message of a failure."""
        if not self.log_file.exists():
            return "(no log)"
        return "\n".join(self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-40:])

    def _completed(self, command: list[str], cwd: Path, text: str | None) -> subprocess.CompletedProcess[str]:
        with subprocess.Popen(
            command,
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
        ) as process:
            try:
                out, err = process.communicate(text or "", timeout=self._program_s)
            except subprocess.TimeoutExpired:
                said = self.log()
                self.kill()  # first: a program that waits for the mount cannot be ended before
                process.kill()
                raise AssertionError(f"{command} did not end within {self._program_s:g} s\n{said}") from None
        return subprocess.CompletedProcess(command, process.returncode, out, err)


@contextlib.contextmanager
def account_of(server: ServerProcess, name: str, *, quota_bytes: int = 100 << 30) -> Iterator[Account]:
    """A new account, seen from outside."""
    token = server.add_user(name, quota_bytes=quota_bytes)
    account = Account(server.url, token, ca_file=server.ca_file, name=name)
    try:
        yield account
    finally:
        account.close()


def eventually(ask: Callable[[], T], expected: T, *, deadline_s: float = 20.0) -> T:
    """What `ask` gives: as soon as that is what was expected, or whatever it is at the deadline."""
    deadline = time.monotonic() + deadline_s
    while (found := ask()) != expected and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return found


def wait_until(condition: Callable[[], bool], *, deadline_s: float = 20.0) -> None:
    """Returns as soon as it holds, and fails when it does not within the deadline."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"not so within {deadline_s:g} s"
        time.sleep(POLL_S)


def errno_of(call: Callable[..., object], *arguments: object) -> str:
    """How the call fails."""
    try:
        call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "none"


def checksum(content: bytes) -> str:
    """To compare by, in a message that stays short."""
    return hashlib.sha256(content).hexdigest()[:16]


def tree_of(folder: Path) -> dict[str, str]:
    """Every path below a folder of this machine with the checksum of its content; `folder` for a folder."""
    return {
        path.relative_to(folder).as_posix(): "folder" if path.is_dir() else checksum(path.read_bytes())
        for path in folder.rglob("*")
    }


def write_tree(folder: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    """Makes files with the folders above them; the tree that they are."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return tree_of(folder)


def _write_profile(file: Path, account: Account) -> None:
    token_file = file.parent / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(account.token, encoding="ascii")
    secure = f'ca_file = "{account.ca_file}"' if account.ca_file else "allow_http = true"
    file.write_text(
        f'[profiles.{PROFILE}]\napi_url = "{account.url}"\n{secure}\ntoken_file = "{token_file}"\n', encoding="utf-8"
    )
