"""Every resource and field name that a request holds, and nothing else: where the contract is ours, it changes here.

Origins as in docs/protocol.md: [doc] the CX documentation, [seen] the public record of clients, [ours] this project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cxfs.core.entries import Path

API_VERSION: Final = "1"  # [doc]

# Credentials of a request, both in the URL.
ACCESS_TOKEN: Final = "access_token"  # [doc]  # noqa: S105 - the parameter's name, not a token
CLIENT_ID: Final = "client_id"  # [seen]

# Authorization. The page is at the authorization host, outside the versioned API.
AUTHORIZE: Final = "mycx/oauth/authorize"  # [doc]
TOKEN: Final = "oauth/token"  # [doc]  # noqa: S105 - a resource's name
AUTHORITY: Final = "mycx/ca.pem"  # [ours], optional: the certificate authority of a server of one's own

# User API, api host.
SELF: Final = "users/self"  # [seen]
GROUPS: Final = "users/self/groups"  # [ours]
CAPABILITIES: Final = "capabilities"  # [ours]

# File API, api host.
LIST: Final = "files/list"  # [seen]
INFO: Final = "files/info"  # [ours]
MAKE_FOLDER: Final = "files/mkdir"  # [seen]
DELETE: Final = "files/delete"  # [seen]
MOVE: Final = "files/move"  # [ours]
COPY: Final = "files/copy"  # [ours]
UPDATE: Final = "files/update"  # [ours], capability `attributes`
VERSIONS: Final = "files/versions"  # [ours], capability `versions`
CHANGES: Final = "files/changes"  # [ours], capability `changes`

OFFSET: Final = "offset"
LIMIT: Final = "limit"
IN_ORDER: Final = {"sortby": "name", "sortOrder": "asc"}  # [seen]
RECURSIVE: Final = "recursive"  # [ours]
TO: Final = "to"
OVERWRITE: Final = "overwrite"
MODIFIED: Final = "modified"
MODE: Final = "mode"  # [ours], capability `posix`, as the two below
LINK: Final = "link"
XATTRS: Final = "xattrs"
CURSOR: Final = "cursor"
TIMEOUT: Final = "timeout"

# Transport API, data host.
DATA: Final = "data"  # [seen]
VERSION: Final = "version"  # [ours], capability `versions`
IF_VERSION: Final = "ifVersion"  # [ours], capability `conditional-upload`
IF_PARENT: Final = "ifParent"  # [ours], the same
IF_TARGET: Final = "ifTarget"  # [ours], the same
CONTENT_TYPE: Final = "file_content_type"  # [seen]
FILE: Final = "file"  # [seen]

# Capability `bundle` [ours]; the last at the api host, the others at the data host.
BUNDLE_GET: Final = "bundle/get"
BUNDLE_PUT: Final = "bundle/put"
BUNDLE_DELETE: Final = "bundle/delete"
ITEMS: Final = "items"
PATH: Final = "path"
SIZE: Final = "size"


def at(resource: str, path: Path) -> str:
    """The resource of one object: the path stays one percent-encoded segment."""
    return f"{resource}/{path.in_url}"
