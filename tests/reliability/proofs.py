"""The rows of docs/reliability.md: what is made to happen, what must hold all the same, and the tests that do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Proof:
    """One kind of trouble. `tests` are modules, from the project's root; each of their tests is a case."""

    trouble: str
    holds: str
    tests: tuple[str, ...]


PROOFS: Final = (
    Proof(
        "the daemon is killed (`kill -9`) at every step of a day's work, before and after each request, row and write",
        "what was accepted reaches the server, once",
        ("tests/fs/test_every_step_kills_once.py", "tests/mounted/test_kills.py"),
    ),
    Proof(
        "the power goes: what was not synced is lost, in any order that a disk may write in",
        "what `fsync` acknowledged is there",
        ("tests/local/test_power_loss.py",),
    ),
    Proof(
        "any byte of the journal is wrong, or a row or draft of it missing",
        "the row is set aside and reported; nothing is deleted unread or sent falsified",
        ("tests/local/test_damaged_journal.py",),
    ),
    Proof(
        "the cache is damaged, cut, emptied or filled up, at random and across restarts",
        "what is read from it is what the server has",
        ("tests/local/test_block_stories.py", "tests/local/test_block_restarts.py"),
    ),
    Proof(
        "each request of a day's work fails, in turn and in each way that a request can fail",
        "no program notices, nothing is done twice",
        ("tests/fs/test_every_request_fails_once.py",),
    ),
    Proof(
        "30 % of all requests fail: 5xx, cut, stalled, answers lost",
        "cp, tar, git, sqlite, rsync, editors see no error",
        ("tests/mounted/test_bad_days.py", "tests/fs/test_bad_lines.py"),
    ),
    Proof(
        "the server falls silent in the middle of ls, cat, cp, df and a file manager's scan",
        "every call ends by its deadline, what is cached is served at once, and all goes on afterwards",
        ("tests/mounted/test_outage.py", "tests/fs/test_offline.py", "tests/mounted/test_interrupts.py"),
    ),
    Proof(
        "a server answers what it should not: a thousand made-up answers to each call, bombs, loops, odd names",
        "one of our errors, in time; nothing leaks, nothing outside the cache is written",
        (
            "tests/remote/test_generated_answers.py",
            "tests/remote/test_hostile_answers.py",
            "tests/fs/test_hostile_listings.py",
        ),
    ),
    Proof(
        "every handler of the kernel's requests raises every kind of exception",
        "the program gets an errno, the mount lives",
        ("tests/fuse/test_operations.py", "tests/mounted/test_staying_up.py"),
    ),
    Proof(
        "the disk fills up, the cache folder is read-only or deleted, descriptors run out, the clock jumps",
        "what was accepted is sent, what is not is said",
        ("tests/fs/test_local_faults.py",),
    ),
    Proof(
        "another client changes the same files at any moment, through random stories",
        "both sides are kept, as the file or as its conflict copy",
        ("tests/fs/test_two_clients.py",),
    ),
    Proof(
        "a slow server carries an upload out when its file has another name here, or none",
        "no program waits for it, reads it under the former name, or finds it there",
        ("tests/fs/test_late_uploads.py", "tests/fs/test_late_and_others.py", "tests/fs/test_attempts.py"),
    ),
    Proof(
        "random stories of programs, faults, outages, sign-outs, crashes and restarts",
        "nothing acknowledged is lost, what is read is one version that existed, everything ends",
        ("tests/test_simulation.py",),
    ),
    Proof(
        "programs in one real mount and another client write the same files while requests fail",
        "linearizable for the mount's own programs, close-to-open towards the other client",
        ("tests/history/test_history.py", "tests/history/test_checker.py"),
    ),
)
"""In the order of the page."""


def table(passed: dict[str, int]) -> str:
    """As Markdown; `passed` counts the tests of each module, by its path."""
    rows = ["| what is made to happen | what holds | cases |", "|---|---|---:|"]
    for proof in PROOFS:
        count = sum(passed[module] for module in proof.tests)
        rows.append(f"| {proof.trouble} | {proof.holds} ({', '.join(map(_link, proof.tests))}) | {count:,} |")
    return "\n".join(rows)


def _link(module: str) -> str:
    return f"[{module.rpartition('/')[2].removeprefix('test_').removesuffix('.py')}](../{module})"
