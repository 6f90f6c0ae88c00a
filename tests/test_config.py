"""The configuration: what a file may say, and that each mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxfs import config
from cxfs.config import Config, ConfigError, Profile

FILE = Path("/etc/somewhere/config.toml")


def parsed(text: str) -> Config:
    return config.parse(text.encode(), FILE)


def test_a_profile_holds_what_the_file_says() -> None:
    """Every key of the documentation, once."""
    loaded = parsed(
        """
        default_profile = "work"
        [profiles.work]
        api_url = "https://cx.example.org:8443/"
        data_url = "https://data.example.org"
        auth_url = "https://www.example.org"
        client_id = "an-app"
        ca_file = "/etc/ssl/ours.pem"
        token_file = "/run/token"
        token_command = "pass show cx"
        mountpoint = "/home/mia/work"
        options = "ro,umask=077"
        """
    )

    assert loaded.profile() == Profile(
        name="work",
        api_url="https://cx.example.org:8443",
        data_url="https://data.example.org",
        auth_url="https://www.example.org",
        client_id="an-app",
        ca_file=Path("/etc/ssl/ours.pem"),
        token_file=Path("/run/token"),
        token_command="pass show cx",
        mountpoint=Path("/home/mia/work"),
        options="ro,umask=077",
    )


def test_one_address_is_enough_for_a_server_of_ones_own() -> None:
    """It is one host; and the token must not go to a host that nobody named."""
    profile = parsed('[profiles.home]\napi_url = "https://nas.local:8443"').profile()

    assert (profile.data_url, profile.auth_url) == ("https://nas.local:8443", "https://nas.local:8443")


def test_without_an_address_a_profile_is_of_the_documented_service() -> None:
    """Three hosts, as the documentation names them."""
    profile = parsed("[profiles.home]").profile()

    assert (profile.api_url, profile.data_url, profile.auth_url) == (
        "https://api.cx.com",
        "https://data.cx.com",
        "https://www.cx.com",
    )


def test_relative_paths_are_taken_from_the_folder_of_the_file() -> None:
    """A configuration means the same from wherever a command is started."""
    assert parsed('[profiles.home]\nca_file = "ca.pem"').profile().ca_file == Path("/etc/somewhere/ca.pem")


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a shell, since people write it so."""
    monkeypatch.setenv("HOME", "/home/mia")

    assert parsed('[profiles.home]\ntoken_file = "~/token"').profile().token_file == Path("/home/mia/token")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("defaultprofile = 'x'", "defaultprofile: unknown key"),
        ("[profiles.home]\napi-url = 'https://x'", "profiles.home.api-url: unknown key"),
        ("[profiles.home]\napi_url = 5", "profiles.home.api_url: expected a non-empty string, got int"),
        ("[profiles.home]\nclient_id = ''", "profiles.home.client_id: expected a non-empty string"),
        ("[profiles.home]\nallow_http = 'yes'", "profiles.home.allow_http: expected true or false"),
        ("[profiles.home]\ntoken_command = ['a']", "profiles.home.token_command: expected a non-empty string"),
        ("profiles = 3", "profiles: expected a table"),
        ("[profiles]\nhome = 3", "profiles.home: expected a table"),
        ("default_profile = 'x'", "there is no [profiles.x]"),
        ("[profiles.'../x']", "'../x' is no profile name"),
        ("[profiles.'']", "'' is no profile name"),
        ("[profiles.home", "not TOML"),
        (f"default_profile = {'9' * 5_000}", "not TOML"),
        (f"default_profile = {'[' * 5_000}", "not TOML"),
        (
            "[profiles.home]\nca_file = '~nobody-of-this-name/ca.pem'",
            "profiles.home.ca_file: no path: Could not determine",
        ),
        ('[profiles.home]\nca_file = "a\\u0000b"', "profiles.home.ca_file: no path: it holds a NUL"),
        ("[profiles.home]\napi_url = 'ftp://x'", "profiles.home.api_url: expected a URL"),
        ("[profiles.home]\napi_url = 'cx.example.org'", "profiles.home.api_url: expected a URL"),
        ("[profiles.home]\napi_url = 'https://x:notaport'", "profiles.home.api_url: not a URL"),
        ("[profiles.home]\napi_url = 'https://me:pw@x'", "profiles.home.api_url: a URL without user"),
        ("[profiles.home]\napi_url = 'https://x/?a=b'", "profiles.home.api_url: a URL without user"),
        ("[profiles.home]\napi_url = 'http://localhost'", "profiles.home.api_url: the access token would travel"),
        (
            "[profiles.home]\nallow_http = true\ndata_url = 'http://example.org'",
            "profiles.home.data_url: the access token",
        ),
    ],
)
def test_a_mistake_is_refused_by_its_name(text: str, named: str) -> None:
    """A misspelt key that is passed over is a setting that silently does not hold."""
    with pytest.raises(ConfigError) as refused:
        parsed(text)

    assert f"{FILE}: {named}" in str(refused.value) or named in str(refused.value)
    assert str(FILE) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.3.2.1", "[::1]"])
def test_plain_http_is_for_a_loopback_address_that_was_asked_for(host: str) -> None:
    """Nobody else can listen there."""
    profile = parsed(f"[profiles.home]\nallow_http = true\napi_url = 'http://{host}:8080'").profile()

    assert profile.api_url == f"http://{host}:8080"


def test_the_only_profile_needs_no_name() -> None:
    """One account is what most people have."""
    assert parsed("[profiles.home]").profile().name == "home"


def test_of_several_profiles_one_must_be_chosen() -> None:
    """Mounting the wrong account is worse than asking."""
    with pytest.raises(ConfigError, match=r"which of the profiles home, work\?"):
        parsed("[profiles.home]\n[profiles.work]").profile()


def test_a_profile_named_default_is_the_default_one() -> None:
    """That is what its name says."""
    assert parsed("[profiles.default]\n[profiles.work]").profile().name == "default"


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    """The remedy is to see what there is."""
    with pytest.raises(ConfigError, match=r"no profile 'wrok'.*\(there: home, work\)"):
        parsed("[profiles.home]\n[profiles.work]").profile("wrok")


def test_no_file_is_an_empty_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cxfs --help` and `cxfs demo` need none."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert config.load({}) == Config(tmp_path / "cxfs" / "config.toml")


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    """Whoever sets CXFS_CONFIG means it."""
    with pytest.raises(ConfigError, match="no such file"):
        config.load({"CXFS_CONFIG": str(tmp_path / "none.toml")})


def test_the_file_that_was_named_is_read(tmp_path: Path) -> None:
    """For tests, services and several set-ups side by side."""
    file = tmp_path / "other.toml"
    file.write_text("[profiles.elsewhere]\n")

    assert config.load({"CXFS_CONFIG": str(file)}).profile().name == "elsewhere"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """It was named by mistake; reading on would only take memory."""
    file = tmp_path / "huge.toml"
    file.write_bytes(b"#" * (config.CONFIG_BYTES_MAX + 1))

    with pytest.raises(ConfigError, match="larger than"):
        config.load({"CXFS_CONFIG": str(file)})


def test_each_profile_has_folders_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dirty data is no cache: a cleaner may empty one folder and must not touch the other."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/caches")
    monkeypatch.setenv("XDG_STATE_HOME", "/var/states")
    profile = Profile("work")

    folders = (config.cache_folder(profile), config.state_folder(profile))

    assert folders == (Path("/var/caches/cxfs/work"), Path("/var/states/cxfs/work"))


def test_a_file_in_the_home_of_nobody_is_said() -> None:
    """A slip of the pen is no bug of ours."""
    with pytest.raises(ConfigError, match="CXFS_CONFIG=~nobody-of-this-name/c: no path"):
        config.load({"CXFS_CONFIG": "~nobody-of-this-name/c"})
