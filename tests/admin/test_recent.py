"""The last requests are told, newest first, and nobody can be told from them."""

from dataclasses import fields

import pytest

from edgerouter.admin.recent import KEPT, Answered, Recent, is_own_page
from tests.admin.examples import NOON, access


def test_only_the_last_are_kept_newest_first() -> None:
    recent = Recent(kept=3)
    for status in (200, 201, 202, 203, 204):
        recent.observe(access(status=status))

    assert [answered.status for answered in recent.latest()] == [204, 203, 202]


def test_fifty_are_kept_unless_told_otherwise() -> None:
    recent = Recent()
    for _ in range(KEPT + 1):
        recent.observe(access())

    assert len(recent.latest()) == KEPT == 50


def test_neither_client_nor_request_id_is_remembered() -> None:
    recent = Recent(now=lambda: NOON)
    recent.observe(access(client="192.0.2.99", request_id="P-0815-DOE"))

    (answered,) = recent.latest()
    assert answered == Answered(
        at=NOON,
        method="GET",
        template="/dicomweb/studies/{studies}",
        status=200,
        bytes=10,
        seconds=0.5,
        cache=None,
        outcome="complete",
        error=None,
    )
    assert {"client", "request_id"}.isdisjoint(field.name for field in fields(Answered))


@pytest.mark.parametrize(
    ("template", "transaction", "own"),
    [("/status", None, True), ("/dicomweb/studies", "search", False), (None, None, False)],
)
def test_an_own_page_has_a_path_and_no_transaction(
    template: str | None, transaction: str | None, own: bool
) -> None:
    assert is_own_page(access(template=template, transaction=transaction)) is own
