"""All applications, by chapter: what the tests run and what docs/applications.md tells. Runs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.applications.building import BUILDING
from tests.applications.copying import TREES
from tests.applications.databases import DATABASES
from tests.applications.documents import DOCUMENTS
from tests.applications.editors import EDITORS
from tests.applications.loads import LOADS
from tests.applications.version_control import VERSION_CONTROL

if TYPE_CHECKING:
    from tests.applications.application import Application

CHAPTERS: Final[dict[str, tuple[Application, ...]]] = {
    "Version control": VERSION_CONTROL,
    "Databases": DATABASES,
    "Copies, mirrors, archives and searches": TREES,
    "Editors": EDITORS,
    "Building and installing": BUILDING,
    "Documents, pictures and sound": DOCUMENTS,
    "Programs that look for faults": LOADS,
}

APPLICATIONS: Final = tuple(application for chapter in CHAPTERS.values() for application in chapter)
