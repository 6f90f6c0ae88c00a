"""Which signals mean that a program wants no answer any more."""

from __future__ import annotations

from signal import SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGWINCH

import pytest

from cxfs.core.interrupts import is_to_end, was_killed

SIGRT = 40


def status(
    *, thread: tuple[int, ...] = (), program: tuple[int, ...] = (), blocked: tuple[int, ...] = (),
    ignored: tuple[int, ...] = (), caught: tuple[int, ...] = (),
) -> str:  # fmt: skip
    """`/proc/PID/status` of a program with these signals pending and treated so."""
    sets = {"SigPnd": thread, "ShdPnd": program, "SigBlk": blocked, "SigIgn": ignored, "SigCgt": caught}
    lines = [f"{name}:\t{sum(1 << (number - 1) for number in numbers):016x}" for name, numbers in sets.items()]
    return "\n".join(["Name:\tcat", "State:\tD (disk sleep)", "SigQ:\t1/63432", *lines, "Threads:\t1"])


@pytest.mark.parametrize("number", [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGKILL, SIGALRM, SIGUSR1, SIGRT])
def test_a_signal_that_ends_the_program_frees_it(number: int) -> None:
    """Sent to one of its threads, or to all of it."""
    assert is_to_end(status(thread=(number,)))
    assert is_to_end(status(program=(number,)))


@pytest.mark.parametrize("number", [SIGHUP, SIGINT, SIGQUIT, SIGTERM])
def test_a_program_that_tidies_up_before_it_ends_is_freed_as_well(number: int) -> None:
    """An interpreter catches Ctrl-C, and cannot raise anything before it is answered."""
    assert is_to_end(status(program=(number,), caught=(number,)))


@pytest.mark.parametrize("number", [SIGALRM, SIGUSR1, SIGRT])
def test_a_signal_that_a_program_expects_interrupts_nothing(number: int) -> None:
    """A timer or a message: few programs are ready for a read of a file that is interrupted by one."""
    assert not is_to_end(status(program=(number,), caught=(number,)))


@pytest.mark.parametrize("number", [SIGCHLD, SIGWINCH, SIGTSTP])
def test_a_signal_that_changes_nothing_frees_nobody(number: int) -> None:
    """A window that is resized must not break a copy."""
    assert not is_to_end(status(program=(number,)))


def test_what_is_blocked_or_ignored_is_not_heard() -> None:
    """`nohup`, and a program that is in the middle of something."""
    assert not is_to_end(status(program=(SIGHUP, SIGINT), ignored=(SIGHUP,), blocked=(SIGINT,)))


def test_what_cannot_be_read_frees_nobody() -> None:
    """Half a file, or one of another system."""
    assert not is_to_end("")
    assert not is_to_end("SigPnd:\t0000000000000100\n")


def stat(*, flags: int, exit_code: int) -> str:
    """`/proc/PID/stat`, with a name that looks like the end of one."""
    return " ".join(["7 (a) b) D", "1 1 1 0 -1", str(flags), *["0"] * 42, str(exit_code)])


def test_a_program_on_its_way_out_is_freed_only_when_it_was_killed() -> None:
    """One that ends by itself may want its last close to wait for the server."""
    exiting, living = 0x400004, 0x400000

    found = [was_killed(stat(flags=flags, exit_code=code)) for flags in (exiting, living) for code in (9, 256, 0)]

    assert found == [True, False, False, False, False, False]
    assert not was_killed("")
