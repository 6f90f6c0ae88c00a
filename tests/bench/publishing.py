"""Puts the tables of a report into a document, between the marks that wait for them there. Makes no table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MARKED = re.compile(r"(<!-- table:(?P<name>[\w-]+) -->\n)(?P<table>.*?)(?P<end><!-- /table:(?P=name) -->)", re.DOTALL)


def published(document: str, tables: Mapping[str, str]) -> str:
    """The document with new tables between `<!-- table:NAME -->` and `<!-- /table:NAME -->`, all else as it was.

    ValueError where a mark asks for a table that there is not, or has no end, or where the document has no mark at all.
    """
    found = [match["name"] for match in _MARKED.finditer(document)]
    begun = re.findall(r"<!-- table:([\w-]+) -->", document)
    if not begun or found != begun:
        raise ValueError("no marks for tables, or one without its end")
    if strange := set(found) - set(tables):
        raise ValueError(f"no table is named {', '.join(sorted(strange))}")
    return _MARKED.sub(lambda match: f"{match[1]}\n{tables[match['name']] or 'Not taken.'}\n\n{match['end']}", document)


def tables_in(document: str) -> dict[str, str]:
    """Those that it shows, by their names."""
    return {match["name"]: match["table"].strip("\n") for match in _MARKED.finditer(document)}
