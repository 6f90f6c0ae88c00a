"""The folder of a server as the command line opens it; what is wrong with it is one line. Holds no rule of a server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from cxfs.cli.exits import Exit, Refusal, ServerExtraMissing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cxfs.server.administration import Store


class Place(NamedTuple):
    """The server's folder, and where its tables and contents are if they are not in it."""

    directory: Path
    database: str | None = None
    content: str | None = None


@contextlib.contextmanager
def opened(place: Place, *, extra: str = "server") -> Iterator[Store]:
    """The server's store, made at first use; what is wrong with it, or with what is asked of it, is one line."""
    with in_one_line(extra):
        from cxfs.server.administration import open_store

        with open_store(place.directory, database=place.database, content=place.content) as store:
            yield store


@contextlib.contextmanager
def in_one_line(extra: str = "server") -> Iterator[None]:
    """The server's own errors as the command line's; a package that is missing comes with `cxfs[extra]`."""
    try:
        from cxfs.server.errors import ServerError
    except ImportError as error:
        raise _extra_missing(error, extra) from error
    try:
        yield
    except ServerError as error:
        raise Refusal(Exit.FAILED, str(error)) from error
    except ImportError as error:
        raise _extra_missing(error, extra) from error


def _extra_missing(error: ImportError, extra: str) -> ServerExtraMissing:
    return ServerExtraMissing(f"the {extra}'s packages are not installed ({error.name}): pip install 'cxfs[{extra}]'")
