"""The faults befall whom they should, over real connections: a plain HTTP client stands on the other side."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.faults import (
    NO_JSON,
    Altered,
    Cut,
    Drip,
    FaultProxy,
    Faults,
    Late,
    Lost,
    Side,
    Stall,
    Twice,
    proxy_beside,
    refusal,
    wrong_range,
)
from tests.mounting import Account, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.mounting import CountingServer

CONTENT = bytes(range(256)) * 8_000


@pytest.fixture
def faults() -> Faults:
    return Faults(seed=1)


@pytest.fixture
def proxy(faults: Faults, running_server: CountingServer) -> Iterator[FaultProxy]:
    with proxy_beside(faults, running_server) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy, own_account: Account) -> Iterator[httpx.Client]:
    """Whoever has the account's token, on the other side of the proxy, with little patience."""
    own_account.put("/file", CONTENT)
    trust = httpx.create_ssl_context()
    trust.load_verify_locations(cafile=own_account.ca_file)
    query = {"access_token": own_account.token}
    with httpx.Client(base_url=f"{proxy.url}/1", verify=trust, params=query, timeout=0.5) as client:
        yield client


def downloaded(client: httpx.Client) -> bytes:
    return client.get("/data/self:%2Ffile").content


def uploaded(client: httpx.Client, name: str, content: bytes) -> httpx.Response:
    return client.post(f"/data/self:%2F{name}", files={"file": content})


def made(client: httpx.Client) -> httpx.Response:
    return client.post("/files/mkdir/self:%2Ffolder")


def begun(client: httpx.Client) -> tuple[bytes, httpx.HTTPError | None]:
    """What came of the file, and how it ended."""
    came = bytearray()
    try:
        with client.stream("GET", "/data/self:%2Ffile") as answer:
            for piece in answer.iter_raw():
                came += piece
    except httpx.HTTPError as error:
        return bytes(came), error
    return bytes(came), None


def test_without_a_fault_everything_passes(client: httpx.Client, faults: Faults, own_account: Account) -> None:
    """Content both ways, an answer in chunks, and one connection for all of it."""
    assert downloaded(client) == CONTENT
    assert uploaded(client, "copy", CONTENT).status_code == 200
    assert client.get("/files/list/self:%2F").json()["total"] == 2

    assert own_account.content("/copy") == CONTENT
    assert faults.requests == ["GET data/self:%2Ffile", "POST data/self:%2Fcopy", "GET files/list/self:%2F"]
    assert faults.befallen == []


def test_one_connection_carries_many_exchanges(client: httpx.Client, proxy: FaultProxy) -> None:
    """As at the server itself."""
    for _ in range(3):
        downloaded(client)

    assert (proxy.connections, proxy.open_connections) == (1, 1)


def test_an_answer_instead_of_the_servers(client: httpx.Client, faults: Faults, own_account: Account) -> None:
    """By count: then the server's own comes again. It heard nothing of the first."""
    faults.next("POST files/mkdir", refusal(503, retry_after_s=7), NO_JSON)

    answers = [made(client) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503, 200, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert answers[0].json()["errorType"] == "Unavailable"
    assert answers[1].text.startswith("<!doctype html>")
    assert answers[2].json()["name"] == "folder"


def test_every_third_request(client: httpx.Client, faults: Faults) -> None:
    """By rate, evenly."""
    faults.every("GET files", refusal(500), nth=3)

    assert [client.get("/files/list/self:%2F").status_code for _ in range(6)] == [200, 200, 500, 200, 200, 500]


def test_a_lost_answer_is_of_work_that_was_done(client: httpx.Client, faults: Faults, own_account: Account) -> None:
    """The client cannot know."""
    faults.next("POST files/mkdir", Lost())

    with pytest.raises(httpx.TransportError):
        made(client)

    assert "folder" in own_account.names()
    assert faults.hits(Lost) == 1


def test_a_gateways_answer_in_place_of_the_lost_one(client: httpx.Client, faults: Faults, own_account: Account) -> None:
    """Which knows no more than the client."""
    faults.next("POST files/mkdir", Lost(refusal(504)))

    assert made(client).status_code == 504
    assert "folder" in own_account.names()


def test_a_request_that_is_delivered_twice(client: httpx.Client, faults: Faults, own_account: Account) -> None:
    """Each time the server does it."""
    faults.next("POST data", Twice())

    answer = uploaded(client, "new", b"content")

    assert answer.json()["version"] == 2
    assert len(own_account.versions("/new")) == 2


@pytest.mark.parametrize("after_bytes", [0, 1, 300_000])
def test_a_body_that_breaks(after_bytes: int, client: httpx.Client, faults: Faults) -> None:
    """At that byte and no other."""
    faults.next("GET data", Cut(after_bytes, abruptly=False))

    came, error = begun(client)

    assert came == CONTENT[:after_bytes]
    assert isinstance(error, httpx.TransportError)
    assert downloaded(client) == CONTENT


def test_a_request_that_breaks_is_never_whole(client: httpx.Client, faults: Faults, own_account: Account) -> None:
    """The server got its beginning."""
    faults.next("POST data", Cut(100_000, Side.REQUEST))

    with pytest.raises(httpx.TransportError):
        uploaded(client, "new", CONTENT)

    assert own_account.names() == {"file"}


def test_a_body_that_stalls(client: httpx.Client, faults: Faults) -> None:
    """The connection stays, and nothing comes."""
    faults.next("GET data", Stall(300_000))

    came, error = begun(client)

    assert came == CONTENT[:300_000]
    assert isinstance(error, httpx.ReadTimeout)


def test_a_stall_that_ends(client: httpx.Client, faults: Faults) -> None:
    """The rest comes, whole."""
    faults.next("GET data", Stall(300_000, for_s=0.2))

    assert begun(client) == (CONTENT, None)


def test_a_request_that_stalls(client: httpx.Client, faults: Faults, own_account: Account) -> None:
    """Nobody takes it any more."""
    faults.next("POST data", Stall(100_000, Side.REQUEST))

    with pytest.raises(httpx.TimeoutException):
        uploaded(client, "new", CONTENT * 8)

    assert own_account.names() == {"file"}


def test_who_hung_up_is_not_served_on(client: httpx.Client, faults: Faults, proxy: FaultProxy) -> None:
    """A stall without end holds no connection for ever."""
    faults.next("GET data", Stall(1))
    begun(client)

    wait_until(lambda: proxy.open_connections == 0)


def test_a_drip(client: httpx.Client, faults: Faults) -> None:
    """Never nothing for long, and never much."""
    faults.next("GET data", Drip(400_000, 0.1))

    assert begun(client) == (CONTENT, None)


def test_an_answer_that_is_late(client: httpx.Client, faults: Faults, own_account: Account) -> None:
    """Too late for whoever waits half a second."""
    faults.next("POST files/mkdir", Late(60))

    with pytest.raises(httpx.ReadTimeout):
        made(client)

    assert "folder" not in own_account.names()


def test_a_range_that_is_not_what_was_asked_for(client: httpx.Client, faults: Faults) -> None:
    """Whatever the client makes of it."""
    faults.next("GET data", wrong_range("bytes 5-9/10"))

    answer = client.get("/data/self:%2Ffile", headers={"Range": "bytes=0-4"})

    assert (answer.status_code, answer.headers["content-range"], answer.content) == (206, "bytes 5-9/10", CONTENT[:5])


def test_a_body_of_another_length_than_it_says(client: httpx.Client, faults: Faults) -> None:
    """Shorter, and longer."""
    faults.next("GET data", Altered(body=lambda body: body[:-1], keeps_length=True))
    came, error = begun(client)
    assert came == CONTENT[:-1]
    assert isinstance(error, httpx.RemoteProtocolError)

    faults.next("GET data", Altered(body=lambda body: body + b"more", keeps_length=True))
    assert begun(client) == (CONTENT, None)  # what follows belongs to nobody


def test_other_bytes_than_the_servers(client: httpx.Client, faults: Faults) -> None:
    """A wrong checksum, of the right length."""
    faults.next("GET data", Altered(body=lambda body: b"X" + body[1:]))

    assert downloaded(client) == b"X" + CONTENT[1:]


def test_nobody_listens(client: httpx.Client, faults: Faults, proxy: FaultProxy) -> None:
    """From when it was asked for until it ends; the connections there were break."""
    downloaded(client)
    faults.refuses()

    with pytest.raises(httpx.HTTPError):
        downloaded(client)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port))
    assert proxy.open_connections == 0

    faults.opens()
    assert downloaded(client) == CONTENT


def test_a_black_hole(client: httpx.Client, faults: Faults, proxy: FaultProxy) -> None:
    """New connections are accepted, old ones stay, and neither says a word."""
    downloaded(client)
    faults.goes_silent()

    with pytest.raises(httpx.ReadTimeout):
        downloaded(client)  # on the old connection
    with pytest.raises(httpx.TimeoutException):
        downloaded(client)  # on a new one
    socket.create_connection(("127.0.0.1", proxy.port), 1).close()
    assert faults.count("GET data") == 1

    faults.opens()
    assert downloaded(client) == CONTENT


def test_a_body_that_is_under_way_when_the_host_goes_silent(client: httpx.Client, faults: Faults) -> None:
    """Goes on when it is back."""
    faults.slows(bytes_per_s=4 * len(CONTENT))
    with client.stream("GET", "/data/self:%2Ffile") as answer:
        pieces = answer.iter_raw()
        came = next(pieces)
        faults.goes_silent()
        faults.slows()
        faults.opens()

        came += b"".join(pieces)

    assert came == CONTENT


def test_a_slow_line(client: httpx.Client, faults: Faults) -> None:
    """What it costs is at least what it must; more is the machine's matter."""
    faults.slows(latency_s=0.1, bytes_per_s=10 * len(CONTENT))
    began = time.monotonic()

    assert downloaded(client) == CONTENT

    assert time.monotonic() - began >= 0.2


def test_a_share_by_chance_is_the_same_each_time() -> None:
    """A seed that failed can be looked at."""

    def drawn(seed: int) -> list[str]:
        faults = Faults(seed=seed)
        faults.by_chance(0.3)
        for _ in range(1_000):
            faults.befalls("GET", "/1/data/x?access_token=y")
        return [str(each.fault) for each in faults.befallen]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 250 < len(drawn(1)) < 350
    assert len({each.split("(")[0] for each in drawn(1)}) == 4


def test_the_next_ones_come_before_the_rest() -> None:
    """In the order in which they were asked for, and only for what they are of."""
    faults = Faults()
    faults.every("GET", refusal(500))
    faults.next("GET data", refusal(503))
    faults.next("GET data", refusal(429))

    struck = [faults.befalls("GET", target) for target in ["/1/data/x", "/1/files/list/x", "/1/data/x", "/1/data/x"]]

    assert struck == [refusal(503), refusal(500), refusal(429), refusal(500)]
    assert faults.befalls("POST", "/1/data/x") is None


def test_all_is_mended_at_once(client: httpx.Client, faults: Faults) -> None:
    """Rules, door and line."""
    faults.every("", refusal(500))
    faults.slows(latency_s=60)
    faults.refuses()

    faults.mends()

    assert downloaded(client) == CONTENT


def test_no_parameter_is_noted(client: httpx.Client, faults: Faults, own_account: Account) -> None:
    """The token stands in them."""
    faults.next("GET", refusal(500))
    downloaded(client)

    assert own_account.token not in f"{faults.requests} {faults.befallen}"
