"""SQLite: locks, journals that come and go, and for WAL a shared memory map beside the database."""

from __future__ import annotations

from functools import partial
from typing import Final

from tests.applications.application import Application

_FILL: Final = """\
CREATE TABLE words (number INTEGER PRIMARY KEY, word TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
  INSERT INTO words SELECT i, hex(randomblob(50)) FROM n;
UPDATE words SET word = 'even' WHERE number % 2 = 0;
DELETE FROM words WHERE number % 5 = 0;
BEGIN; DELETE FROM words; ROLLBACK;"""

_WRITERS: Final = """\
sqlite3 db 'PRAGMA journal_mode = {mode}; CREATE TABLE rows (writer, number)'
for writer in 1 2 3 4; do
  for row in $(seq {rows}); do
    echo '.timeout 50000'
    echo "INSERT INTO rows VALUES ($writer, $row);"
    echo 'SELECT count(*) FROM rows;'
  done | sqlite3 db > ~/seen-$writer &
done
wait"""

# As a copy: whoever opens a database may write beside it.
_WHOLE: Final = """\
rm -f ~/copy*
cp db ~/copy
test "$(sqlite3 ~/copy 'PRAGMA integrity_check')" = ok"""

_sqlite = partial(Application, program="sqlite3", package="sqlite3")


def _journal(mode: str, remark: str = "") -> Application:
    return _sqlite(
        name=f"sqlite, journal_mode={mode}",
        command="sqlite3 db < ~/fill",
        prepare=f"cat > fill <<'END'\nPRAGMA journal_mode = {mode};\n{_FILL}\nEND",
        holds="integrity_check says ok, what was committed is there, what was rolled back is not",
        check=f"""\
{_WHOLE}
test "$(sqlite3 ~/copy 'SELECT count(*) FROM words')" = $(({{rows}} * 4 / 5))""",
        sizes={"rows": (1000, 20_000)},
        remark=remark,
    )


def _concurrent(mode: str, remark: str = "") -> Application:
    return _sqlite(
        name=f"sqlite, four programs, journal_mode={mode}",
        command=_WRITERS.replace("{mode}", mode),
        holds="integrity_check says ok, every row of every program is there, and no count that one saw went back",
        check=f"""\
{_WHOLE}
test "$(sqlite3 ~/copy 'SELECT count(DISTINCT writer * 10000 + number) FROM rows')" = $((4 * {{rows}}))
for seen in ~/seen-*; do sort -n -c "$seen"; done""",
        sizes={"rows": (8, 100)},
        remark=remark,
    )


DATABASES: Final = (
    _journal("delete"),
    _journal("truncate"),
    _journal("persist"),
    _journal("wal"),
    _concurrent("delete"),
    _concurrent("wal"),
)
