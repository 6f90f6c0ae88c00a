"""What stands between pyfuse3's loop and the device."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.fuse.device import Device
from cxfs.fuse.session import Seam

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def device() -> Iterator[tuple[int, int]]:
    """Something to read from, and the kernel's end of it."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


async def test_a_request_that_was_withdrawn_is_waited_over(device: tuple[int, int]) -> None:
    """Its caller was killed between the wake-up and the read, which would then stop the whole loop."""
    reading, writing = device
    wakes: list[int] = []

    async def wake(descriptor: int) -> None:
        await trio.lowlevel.checkpoint()
        wakes.append(descriptor)
        if len(wakes) == 3:  # the first two wake-ups find nothing left
            os.write(writing, b"request")

    await Device(wake).wait_readable(reading)

    assert wakes == [reading] * 3


async def test_a_request_that_is_there_is_read_at_once(device: tuple[int, int]) -> None:
    """By trio's own wait."""
    reading, writing = device
    os.write(writing, b"request")

    with trio.fail_after(5):
        await Device().wait_readable(reading)


async def test_a_device_is_attended_while_its_requests_are_read(device: tuple[int, int]) -> None:
    """That is what the service manager's watchdog is told of: the loop alone may live on behind a mount that hangs."""
    reading, writing = device
    watched = Device()
    before_the_mount = watched.is_attended()
    os.write(writing, b"request")
    await watched.wait_readable(reading)

    on_its_way = watched.is_attended()
    left_unread = watched.is_attended()
    os.read(reading, 100)
    idle = watched.is_attended()
    os.write(writing, b"request")
    watched.closed()

    assert (before_the_mount, on_its_way, left_unread, idle) == (True, True, False, True)
    assert watched.is_attended()


def test_a_seam_replaces_what_it_names_and_nothing_else() -> None:
    """pyfuse3 uses more of trio than the one call."""
    seam = Seam(trio, lowlevel="ours")

    assert seam.lowlevel == "ours"
    assert seam.open_nursery is trio.open_nursery
