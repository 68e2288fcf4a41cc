"""What a request says beside its resource."""

import pytest

from tests.transactions.canned import inbound


@pytest.mark.parametrize(
    ("fields", "bypass"),
    [
        ([], False),
        ([("Cache-Control", "no-cache")], True),
        ([("Cache-Control", "max-age=0, foo")], True),
        ([("Cache-Control", "max-stale"), ("Cache-Control", " No-Cache ")], True),
        ([("Pragma", "no-cache")], True),
        ([("Cache-Control", "max-age=01, no-cached")], False),
    ],
)
def test_a_client_may_want_no_answer_from_memory(fields: list[tuple[str, str]], bypass: bool) -> None:
    assert inbound("/studies", fields=fields).bypass is bypass


@pytest.mark.parametrize(
    ("value", "ranged"),
    [
        (None, False),
        ("bytes=0-", True),
        ("bytes=5-9", True),
        ("Bytes= -500 ", True),
        ("bytes=0-1,3-4", False),
        ("bytes=-", False),
        ("lines=1-2", False),
        ("bytes=1-2x", False),
        ("bytes=" + "9" * 19 + "-", False),
    ],
)
def test_one_range_of_bytes_is_a_range(value: str | None, ranged: bool) -> None:
    fields = [("Range", value)] if value else []
    assert inbound("/studies/1", fields=fields).ranged is ranged
    assert not inbound("/studies/1", method="HEAD", fields=fields).ranged
