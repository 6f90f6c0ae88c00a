"""What the person set: which accounts there are and where. Holds no secret and asks no server.

`profiles` reads the file, `editing` is how `cxfs login` adds to it without disturbing what stands there.
"""

from cxfs.config.editing import edited, with_default
from cxfs.config.profiles import (
    API_URL,
    AUTH_URL,
    CONFIG_BYTES_MAX,
    DATA_URL,
    DEFAULT_PROFILE,
    PROFILE_KEYS,
    Config,
    ConfigError,
    Profile,
    cache_folder,
    config_file,
    credentials_folder,
    load,
    parse,
    state_folder,
    state_home,
    state_homes,
)

__all__ = [
    "API_URL",
    "AUTH_URL",
    "CONFIG_BYTES_MAX",
    "DATA_URL",
    "DEFAULT_PROFILE",
    "PROFILE_KEYS",
    "Config",
    "ConfigError",
    "Profile",
    "cache_folder",
    "config_file",
    "credentials_folder",
    "edited",
    "load",
    "parse",
    "state_folder",
    "state_home",
    "state_homes",
    "with_default",
]
