"""docs/semantics.md and the tests that prove it, held together: a promise without a proof fails, and the reverse."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent


def test_every_promise_has_a_proof_and_every_proof_a_promise() -> None:
    """Each item of the list is word for word the docstring of a test marked `promise`."""
    promised = list(items((ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")))
    proven = [sentence for file in sorted((ROOT / "tests").rglob("test_*.py")) for sentence in _promises_in(file)]

    assert sorted(promised) == sorted(proven)


def test_no_promise_is_made_twice() -> None:
    """Two sentences that say the same would drift apart."""
    promised = list(items((ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")))

    assert len(promised) == len(set(promised)) > 0


def items(document: str) -> Iterator[str]:
    """The items of the document's lists, each as one line."""
    item: list[str] = []
    for line in [*document.splitlines(), ""]:
        if item and not line.startswith("  "):
            yield " ".join(item)
            item = []
        if line.startswith("- "):
            item = [line[2:].strip()]
        elif item:
            item.append(line.strip())


def _promises_in(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_is_promise, node.decorator_list)):
            yield " ".join((ast.get_docstring(node) or f"{node.name} says nothing").split())


def _is_promise(decorator: ast.expr) -> bool:
    return ast.unparse(decorator) == "pytest.mark.promise"
