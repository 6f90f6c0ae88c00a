"""Asking a mount as a command does, without a socket between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxfs.control.protocol import Arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxfs.control.server import Verb


async def nobody(news: Mapping[str, object]) -> None:
    """Listens to no news."""


async def asked(verb: Verb, **arguments: object) -> dict[str, Any]:
    """The result, whatever the news."""
    return dict(await verb(Arguments(arguments), nobody))
