"""What can go wrong between a client and its server, scripted. Knows nothing of the client.

- `kinds` names what can befall one request: Answers (instead of the server), Lost, Twice, Cut, Stall, Drip, Late,
  Altered.
- `script` holds one `Faults`, which a test asks for trouble and which notes what was asked of it: rules for the next
  such request, for every one, for a share of them by chance (seeded); a line (latency, bandwidth); a door (open,
  refusing, silent). All of it can be changed at any time, from any thread.
- `proxy` puts them in front of a real server, over TCP or TLS: `proxied` in a trio loop, `proxy_beside` in a thread,
  for a mount whose daemon is a process of its own.
- `wire` puts them in front of any httpx transport, such as the server's application in this process: no sockets, so a
  fake clock may be at work.

A test with a mount:

    faults = Faults(seed=1)
    with proxy_beside(running_server, faults) as proxy, Mount(behind(proxy, own_account), home) as mount:
        faults.next("POST files/mkdir", Lost())
        mount.run("mkdir", mount.path / "folder")
        assert faults.hits(Lost) == 1

and one in a single loop:

    faults = Faults()
    async with session_over(FaultyWire(httpx.ASGITransport(app), faults), token) as session:
        faults.goes_silent()
"""

from tests.faults.kinds import (
    NO_JSON,
    Altered,
    Answers,
    Cut,
    Drip,
    Fault,
    Late,
    Lost,
    Side,
    Stall,
    Twice,
    refusal,
    wrong_range,
)
from tests.faults.proxy import FaultProxy, behind, proxied, proxy_beside
from tests.faults.script import TROUBLE, Door, Faults
from tests.faults.wire import FaultyWire

__all__ = [
    "NO_JSON",
    "TROUBLE",
    "Altered",
    "Answers",
    "Cut",
    "Door",
    "Drip",
    "Fault",
    "FaultProxy",
    "Faults",
    "FaultyWire",
    "Late",
    "Lost",
    "Side",
    "Stall",
    "Twice",
    "behind",
    "proxied",
    "proxy_beside",
    "refusal",
    "wrong_range",
]
