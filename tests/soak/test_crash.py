"""Endurance in short: the process is killed, the power is cut, and nothing wrong is held or served.

The seed is fixed here and printed by the long forms (`make crash`, `make power-cuts`).
"""

from pathlib import Path

import pytest

from tests.soak.crash import run
from tests.soak.disk import NoDisk

pytestmark = [pytest.mark.archives, pytest.mark.timeout(300)]


def test_twenty_kills_leave_nothing_wrong(tmp_path: Path) -> None:
    outcome = run(tmp_path, rounds=20, seed=20)
    print(outcome)
    assert outcome.complaints == []
    assert outcome.found.compared > 0, "nothing was held that could be wrong"
    assert outcome.requests["right"] > 0


def test_a_few_power_cuts_leave_nothing_wrong(tmp_path: Path) -> None:
    try:
        outcome = run(tmp_path, rounds=3, seed=4, power=True)
    except NoDisk as missing:
        pytest.skip(str(missing))
    print(outcome)
    assert outcome.complaints == []
    assert outcome.requests["right"] > 0
