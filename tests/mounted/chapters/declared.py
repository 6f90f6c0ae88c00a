"""The rows that the chapters must come to, counted in their modules without living through a case."""

from __future__ import annotations

import importlib
import inspect
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.conformance.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType


def rows() -> list[Row]:
    """One for each chapter, by name."""
    names = sorted(file.stem for file in Path(__file__).parent.glob("test_*.py"))
    modules = {name.removeprefix("test_"): importlib.import_module(f"{__package__}.{name}") for name in names}
    counted = {chapter: list(_explanations(module)) for chapter, module in modules.items()}
    return [_row(chapter, explained) for chapter, explained in counted.items() if explained]


def _row(chapter: str, explained: Sequence[str | None]) -> Row:
    sentences = tuple(dict.fromkeys(sentence for sentence in explained if sentence is not None))
    return Row(chapter, len(explained), explained.count(None), sentences)


def _explanations(module: ModuleType) -> Iterator[str | None]:
    """For every case of the module the sentence that says why it ends otherwise in a mount, or None."""
    for name, function in vars(module).items():
        if name.startswith("test_") and "here" in inspect.signature(function).parameters:
            marks: Sequence[Any] = getattr(function, "pytestmark", ())
            of_all = [mark for mark in marks if mark.name == "differs"]
            sets = [mark.args[1] for mark in marks if mark.name == "parametrize"]
            for chosen in itertools.product(*sets):
                of_these = [mark for each in chosen for mark in getattr(each, "marks", ()) if mark.name == "differs"]
                differs = [*of_these, *of_all]
                yield differs[0].args[1] if differs else None
