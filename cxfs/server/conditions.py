"""What a client says that it has seen, before something is changed there: whatever else is there now stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.server.errors import NotFound, VersionConflict

if TYPE_CHECKING:
    from cxfs.server.trees import Node, Place


def check_place(place: Place, if_version: int | None, if_parent: str | None) -> None:
    """Raises NotFound in another folder than is meant, VersionConflict when something else is there than was seen."""
    if if_parent is not None and if_parent != place.folder.id:
        raise NotFound("the folder that it is meant for is not there any more")
    if place.node is not None:
        require_seen(place.node, None, if_version)
    elif if_version:
        raise VersionConflict("it does not exist")


def require_seen(node: Node, if_id: str | None, if_version: int | None) -> None:
    """Raises VersionConflict where it is another object, or has another version; None is any."""
    if if_id is not None and if_id != node.id:
        raise VersionConflict(f"{node.name!r} is another object by now")
    if if_version is not None and if_version != node.version:
        raise VersionConflict(f"{node.name!r} is at version {node.version}, not {if_version}")
