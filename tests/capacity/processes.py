"""What two server processes bring over one, in small uploads a second."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.capacity.budget import Budget
from tests.capacity.servers import Servers, Taken, running_servers
from tests.capacity.written import uploads

if TYPE_CHECKING:
    from collections.abc import Sequence

SHARE: Final = 0.2
"""Of a core, for each process: two of them, PostgreSQL and the client then leave something of two cores."""
ROUNDS: Final = 7
SECONDS: Final = 4.0
_WARM_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One process and two, in turn."""

    one: Sequence[Taken]
    two: Sequence[Taken]

    @property
    def ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(
            two.load.per_second / one.load.per_second for one, two in zip(self.one, self.two, strict=True)
        )

    def row(self, what: str) -> str:
        """Of the table."""
        one, two = (statistics.median(each.load.per_second for each in taken) for taken in (self.one, self.two))
        seconds = sum(each.load.seconds for each in self.two)
        used = (
            sum(sum(each.servers_cpu_s) for each in self.two),
            sum(each.postgres_cpu_s for each in self.two),
            sum(each.load.client_cpu_s for each in self.two),
        )
        each_ms = [statistics.median(each.server_ms for each in taken) for taken in (self.one, self.two)]
        cells = [what, f"{one:,.0f}", f"{two:,.0f}", f"{self.ratio:.2f}", *(f"{each:.2f}" for each in each_ms)]
        cells += [f"{each / seconds:.2f}" for each in used]
        return f"| {' | '.join(cells)} |"


def compared(servers: Servers, seconds: float, rounds: int) -> Comparison:
    """Alternately, and the one process is now the first and now the second."""
    servers.loaded(servers.processes, uploads(servers.tokens), _WARM_S)
    one: list[Taken] = []
    two: list[Taken] = []
    for number in range(rounds):
        alone = servers.processes[number % 2 : number % 2 + 1]
        one.append(servers.loaded(alone, uploads(servers.tokens), seconds))
        two.append(servers.loaded(servers.processes, uploads(servers.tokens), seconds))
    return Comparison(one, two)


def processes_table(*, seconds: float = SECONDS, rounds: int = ROUNDS) -> str:
    """Held to a share of a core each, and as they come."""
    heads = [
        *("small uploads a second", "one process", "two", "ratio", "ms of one each", "ms of two each"),
        *("cores: the two", "PostgreSQL", "client"),
    ]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    with running_servers(2) as servers:
        with ExitStack() as stack:
            for process in servers.processes:
                stack.enter_context(Budget(SHARE)).hold(process.worker_pid)
            lines.append(compared(servers, seconds, rounds).row(f"each process held to {SHARE:g} of a core"))
        lines.append(compared(servers, seconds, rounds).row("not held"))
    return "\n".join(lines)
