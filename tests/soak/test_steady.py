"""The long load in short: a few seconds, in which nothing may be wrong or pile up."""

from pathlib import Path

import pytest

from tests.soak.steady import run

pytestmark = [pytest.mark.archives, pytest.mark.timeout(300)]


def test_a_mixed_load_is_answered_right_and_leaves_nothing_open(tmp_path: Path) -> None:
    steady = run(tmp_path, 5, seed=1, warm=5)
    print(steady)
    assert steady.complaints == []
    assert steady.left > 0
    assert set(steady.requests) == {"right"}
