"""Brings the tables in PostgreSQL to the format that this server knows, by Alembic. Loaded only where it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

_LOCK: Final = 0x63786673_00000000  # "cxfs"; the transactions about accounts take the next number


def upgrade(connect: Callable[[], psycopg.Connection]) -> None:
    """All missing steps or none. Of several that start at once one does it, and the others wait."""
    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()
