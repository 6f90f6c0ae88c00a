"""One profile: its configuration, its token, and the server as it is reached from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import CxfsError, SignedOut, Unreachable, Untrusted
from cxfs.credentials import CredentialsError
from cxfs.doctor.findings import Finding, note, ok, problem, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.config import Profile
    from cxfs.credentials import AccessToken
    from cxfs.remote.probing import Probe
    from cxfs.service import Throughput

SKEW_S: Final = 60.0
"""Certificates are judged by the clock, and times of files are compared by programs."""

CERTIFICATE_S: Final = 14 * 86_400.0
"""Time enough to have it renewed."""

SLOW_S: Final = 0.5
"""A round trip of so long makes every first look at a folder wait."""


@dataclass(frozen=True, slots=True)
class Account:
    """How a profile is looked at. Each call may raise CxfsError; `throughput` is None where nothing is large enough."""

    profile: Profile
    token: Callable[[], AccessToken]
    probe: Callable[[], Probe]
    who: Callable[[AccessToken], str]
    throughput: Callable[[AccessToken], Throughput | None]


def examined(account: Account) -> list[Finding]:
    """From the token to the last byte, as far as it can be gone."""
    findings, token = _token(account)
    try:
        seen = account.probe()
    except CxfsError as error:
        return [*findings, _not_reached(account.profile, error)]
    findings += _server(account.profile, seen)
    if token is not None:
        findings += _signed_in(account, token)
    return findings


def _token(account: Account) -> tuple[list[Finding], AccessToken | None]:
    name = account.profile.name
    try:
        token = account.token()
    except CredentialsError as error:
        return [problem("token", str(error), f"cxfs login --profile {name}")], None
    return [ok("token", f"{name} has one")], token


def _not_reached(profile: Profile, error: CxfsError) -> Finding:
    if isinstance(error, Untrusted):
        remedy = (
            f"if it is your own server: cxfs login --profile {profile.name} --server {profile.api_url}, which shows "
            "its authority and keeps that as ca_file; else do not trust it"
        )
        return problem("tls", f"{profile.api_url}: {error}", remedy)
    if profile.is_of_the_documented_service:
        remedy = f"the service at cx.com is gone: set api_url in the profile {profile.name}"
        return problem("server", f"{profile.api_url}: {error}", remedy)
    if isinstance(error, Unreachable):
        remedy = "see whether the server runs, and whether this machine is online; what is written here waits"
        return problem("server", f"{profile.api_url}: {error}", remedy)
    return problem_of("server", str(error), f"mend the profile {profile.name}")


def _server(profile: Profile, seen: Probe) -> list[Finding]:
    return [
        ok("server", f"{profile.api_url} answers, connected within {seen.connect_s * 1_000:.0f} ms"),
        _certificate(seen.certificate_s),
        _clock(seen.ahead_s),
        _latency(seen.round_trip_s),
    ]


def _certificate(left_s: float | None) -> Finding:
    if left_s is None:
        return note("tls", "none: allowed for this machine alone")
    text = f"its certificate is good for {left_s / 86_400:.0f} more days"
    if left_s < CERTIFICATE_S:
        return problem("tls", text, "have it renewed by the server's host; a server of cxfs does it when it starts")
    return ok("tls", text)


def _clock(ahead_s: float | None) -> Finding:
    if ahead_s is None:
        return note("clock", "the server does not tell the time")
    text = f"this machine's is {abs(ahead_s):.0f} s {'behind' if ahead_s > 0 else 'before'} the server's"
    if abs(ahead_s) > SKEW_S:
        return problem("clock", text, "timedatectl set-ntp true, as root, on whichever of the two is wrong")
    return ok("clock", text)


def _latency(round_trip_s: float) -> Finding:
    text = f"{round_trip_s * 1_000:.1f} ms a round trip"
    if round_trip_s > SLOW_S:
        return note("latency", f"{text}: first looks at folders wait", "a longer --metadata-ttl asks less often")
    return ok("latency", text)


def _signed_in(account: Account, token: AccessToken) -> list[Finding]:
    try:
        who = account.who(token)
        measured = account.throughput(token)
    except SignedOut as error:
        return [
            problem(
                "account", f"the server refuses the token ({error})", f"cxfs login --profile {account.profile.name}"
            )
        ]
    except CxfsError as error:
        return [problem_of("account", str(error), "look at the server's log")]
    findings = [ok("account", f"signed in as {who}")]
    if measured is None:
        return [*findings, note("throughput", "nothing of 1 MiB or more at the top of the account to measure it by")]
    return [
        *findings,
        ok("throughput", f"{measured.bytes / measured.seconds / (1 << 20):.0f} MiB/s, one file at a time"),
    ]
