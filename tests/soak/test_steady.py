"""The long load in short: a few seconds, in which nothing may be wrong or pile up."""

import os
from pathlib import Path

import pytest

from tests.soak.steady import run

pytestmark = [pytest.mark.archives, pytest.mark.timeout(300)]


def test_a_mixed_load_is_answered_right_and_leaves_nothing_open(tmp_path: Path) -> None:
    steady = run(tmp_path, 5, seed=1, warm=5)
    print(steady)
    assert steady.complaints == []
    assert steady.left > 0
    # Beside other load one answer in about 1,100 was seen cut, visibly; by hand none may be.
    strict = "EDGEROUTER_FULL" in os.environ
    assert set(steady.requests) <= ({"right"} if strict else {"right", "cut"})
    assert steady.requests["right"] > 100 * steady.requests.get("cut", 0)
