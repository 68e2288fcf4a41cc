"""Via: said on every answer, and a way that leads back is noticed."""

import pytest

from edgerouter.errors import NotFound
from edgerouter.middleware import Settings
from tests.support.wrapped import Inner, asked

US = Settings(instance="a1b2")


@pytest.mark.parametrize("app", [Inner(), Inner(NotFound("No."))])
async def test_every_answer_says_that_we_were_on_the_way(app: Inner) -> None:
    assert (await asked(app)).all("via") == ["1.1 edgerouter"]


async def test_the_way_so_far_is_kept_for_the_upstream() -> None:
    app = Inner()
    await asked(app, US, fields=[("Via", "1.1 front (nginx, 1.0)"), ("Via", "HTTP/1.1 edgerouter-ffff")])

    assert app.scopes[0]["state"]["via"] == "1.1 front, HTTP/1.1 edgerouter-ffff, 1.1 edgerouter-a1b2"


@pytest.mark.parametrize(
    "via", ["1.1 edgerouter-a1b2", "1.0 x, 1.1 edgerouter-a1b2 (comment), 1.1 y", "1, 2, 3, 4, 5, 6"]
)
async def test_a_loop_is_refused(via: str) -> None:
    app = Inner()
    response = await asked(app, US, fields=[("Via", via)])

    assert response.status == 508
    assert "error=proxy_loop_detected" in (response.get("proxy-status") or "")
    assert app.scopes == []


async def test_five_hops_and_another_router_are_no_loop() -> None:
    via = "1.1 a, 1.1 b, 1.1 c, 1.1 edgerouter-ffff, 1.1 edgerouter"

    assert (await asked(Inner(), US, fields=[("Via", via)])).status == 200
