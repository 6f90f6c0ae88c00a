"""Everything that reads foreign bytes gets thousands of spoilt ones: each is understood, or refused in its words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz import machine_parsers, person_parsers, secret_parsers, server_parsers
from tests.fuzz.edits import spoilt
from tests.fuzz.parser import check_told

if TYPE_CHECKING:
    from tests.fuzz.parser import Parser

PARSERS: Final = (*person_parsers.PARSERS, *secret_parsers.PARSERS, *machine_parsers.PARSERS, *server_parsers.PARSERS)

EXAMPLES: Final = 60
MORE_EXAMPLES: Final = 5_000

every_parser = pytest.mark.parametrize("parser", PARSERS, ids=str)


def throw_at(parser: Parser, count: int) -> None:
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(spoilt(parser.honest, parser.words) if parser.inputs is None else parser.inputs)
    def thrown(given_input: Any) -> None:
        try:
            parser.reads(given_input)
        except parser.refuses as refused:
            check_told(refused)

    thrown()


@every_parser
def test_spoilt_input_is_understood_or_refused(parser: Parser) -> None:
    """Nothing else ever comes out: no bug's traceback, no half of a meaning."""
    throw_at(parser, EXAMPLES)


@pytest.mark.long
@every_parser
def test_a_flood_of_spoilt_input_is_understood_or_refused(parser: Parser) -> None:
    """The same, for longer."""
    throw_at(parser, MORE_EXAMPLES)


@every_parser
def test_honest_input_gets_through(parser: Parser) -> None:
    """Else a parser that refuses everything would pass."""
    for honest in parser.honest:
        parser.reads(honest)
