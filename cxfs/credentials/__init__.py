"""The secrets of an account: what hides them, where they come from, where signing in keeps them. Asks no server.

`secret` are the types, `sources` the order in which a token is looked for, `stores` where a sign-in is kept,
`private_files` what only their owner can read. Profiles are known here by their name alone.
"""

from cxfs.credentials.secret import AccessToken, ClientSecret, CredentialsError, Secret
from cxfs.credentials.sources import VARIABLE, Credentials, TokenSource
from cxfs.credentials.stores import FileStore, KeyringStore, SignIn, Stores

__all__ = [
    "VARIABLE",
    "AccessToken",
    "ClientSecret",
    "Credentials",
    "CredentialsError",
    "FileStore",
    "KeyringStore",
    "Secret",
    "SignIn",
    "Stores",
    "TokenSource",
]
