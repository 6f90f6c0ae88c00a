"""The soak in its short form, so that it does not rot: the long one is run by hand (`make soak`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import NO_JSON, Cut, Lost, refusal
from tests.soak.soaking import Soak

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mounting import Account, CountingServer

QUICK = (refusal(500), refusal(503), NO_JSON, Lost(), Lost(refusal(504)), Cut(), Cut(50_000))
"""What takes no time by itself: in the long form requests stall as well."""


def test_a_mount_under_load_loses_nothing_and_comes_back_to_its_level(
    running_server: CountingServer, own_account: Account, tmp_path: Path
) -> None:
    """Writers, readers, walkers, renamers, deleters; small files and large; and a tenth of all requests fails."""
    soak = Soak(running_server, own_account, tmp_path / "home", share=0.1, drawn=QUICK)

    report = soak.run(12, seed=1)

    assert report.wrong == []
    assert report.befallen >= 10
    assert report.files >= 60
