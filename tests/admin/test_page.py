"""The page tells an operator at a glance how things are, runs nothing foreign and fetches nothing."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest

from edgerouter.admin import Traffic
from edgerouter.admin.page import PAGE_FIELDS, page
from edgerouter.admin.units import count
from tests.admin.examples import Pins, Stats, answered, snapshot, upstream

HOSTILE = "</td><script>alert(1)</script>{{script}}"


def text(html: str) -> str:
    """What a reader sees in the part that lives."""
    live = html[html.index("<main") : html.index("</main>")]
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]*>", " ", live)).strip()


def test_the_figures_are_there_with_their_units() -> None:
    shown = text(page(snapshot()))

    assert "edgerouter 9.8.7 1 of 2 upstreams not up up 3 d 4 h · 12:00:00 UTC" in shown
    assert f"Requests {count(1500)} 3 being answered" in shown
    assert "Sent to clients 10.0 MB" in shown
    assert "Received from upstreams 4.0 MB" in shown
    assert "Saved 6.0 MB 60.0 % of what was sent" in shown
    assert "Hit ratio 75.0 % 3 of 4 answers" in shown
    assert "Cache fill 75.0 % 750 MB of 1.0 GB" in shown


@pytest.mark.parametrize(
    ("changes", "badge"),
    [
        ({"upstreams": (upstream(),)}, "all upstreams up"),
        ({"upstreams": (upstream(), upstream(state="resting"))}, "1 of 2 upstreams not up"),
        ({"upstreams": (upstream(),), "cache": Stats(paused=True)}, "the cache cannot write"),
    ],
)
def test_the_worst_thing_is_said_first(changes: dict[str, object], badge: str) -> None:
    assert text(page(snapshot(**changes))).startswith(f"edgerouter 9.8.7 {badge} up")


@pytest.mark.parametrize(
    ("sent", "received", "shown"),
    [
        (0, 0, "Saved 0 B nothing sent yet"),
        (1000, 3000, "Saved −2.0 KB more was fetched than sent"),
    ],
)
def test_what_was_not_saved_is_not_praised(sent: int, received: int, shown: str) -> None:
    html = page(snapshot(traffic=Traffic(1, 0, sent, received, 0, 0)))

    assert shown in text(html)
    assert "figure good" not in html


def test_a_router_without_a_cache_shows_none() -> None:
    shown = text(page(snapshot(cache=None, traffic=Traffic(0, 0, 0, 0, 0, 0))))

    assert "Hit ratio – nothing handled yet" in shown
    assert "Cache – this router keeps nothing" in shown
    assert "studies held" not in shown


def test_no_text_becomes_markup() -> None:
    hostile = snapshot(
        version=HOSTILE,
        upstreams=(upstream(name=HOSTILE, profile=HOSTILE, state=HOSTILE, last_error=HOSTILE),),
        recent=(answered(method=HOSTILE, template=HOSTILE, cache=HOSTILE, outcome=HOSTILE, error=HOSTILE),),
    )
    html = page(hostile)

    assert html.count("<script>") == 1
    assert "alert(1)</script>" not in html


def test_only_what_is_written_in_the_page_may_run_or_style_it() -> None:
    html, policy = page(snapshot()), PAGE_FIELDS["content-security-policy"]

    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = b64encode(sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_nothing_comes_from_elsewhere() -> None:
    links = re.findall(r'(?:href|src|action)="([^"]*)"', page(snapshot()))

    assert {link.partition(",")[0] for link in links} == {
        "data:image/svg+xml",
        "/status.json",
        "/metrics",
        "/readyz",
    }


def test_without_scripts_the_page_renews_itself() -> None:
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in page(snapshot())


def test_pins_that_fill_the_cache_stand_at_the_top_and_in_their_section() -> None:
    html = page(snapshot(cache=Stats(pinned=Pins(crowded=True))))

    assert "pins fill the cache" in html
    assert "Pinned studies leave no room" in html
    assert "pins fill the cache" not in page(snapshot())


def test_a_verification_that_goes_on_is_told() -> None:
    assert "verifying now" in page(snapshot(cache=Stats(verifying=True)))
