"""The tables say what an operator asks: which upstream, what of the cache, which requests."""

import re
from datetime import UTC, timedelta, timezone

import pytest

from edgerouter.admin.tables import cache_facts, pin_notes, recent_table, share_table, upstream_table
from edgerouter.admin.units import count
from tests.admin.examples import DOWN, NOON, Counts, Pins, Share, Stats, answered, upstream


def rows(html: str) -> list[list[str]]:
    """The cells of each row, as a reader sees them; the head first."""
    return [
        [" ".join(re.sub("<[^>]*>", " ", cell).split()) for cell in re.findall("<t[dh].*?</t[dh]>", row)]
        for row in re.findall("<tr>.*?</tr>", html)
    ]


def test_an_upstream_is_told_with_its_health() -> None:
    assert rows(upstream_table([upstream(), DOWN, upstream(name="west", state="up", age=3700.0)])) == [
        ["Upstream", "State", "For", "Requests", "Received", "In flight", "Waiting", "Last error"],
        ["north orthanc", "up", "since start", "7", "8.0 MB", "2", "1", "–"],
        [
            "south orthanc",
            "ejected asked again in 12 s",
            "1 min 35 s",
            *["7", "8.0 MB", "2", "1", "ConnectError ECONNREFUSED"],
        ],
        ["west orthanc", "up", "1 h 1 min", "7", "8.0 MB", "2", "1", "–"],
    ]


@pytest.mark.parametrize(
    ("state", "tone"), [("up", "good"), ("ejected", "bad"), ("resting", "fair"), ("probing", "fair")]
)
def test_a_state_has_its_colour_and_its_word(state: str, tone: str) -> None:
    assert f'<span class="badge {tone}">{state}</span>' in upstream_table([upstream(state=state)])


def test_damage_stands_out_when_there_is_any() -> None:
    assert 'class="bad"' not in cache_facts(Stats())
    assert '<dd class="bad">2</dd>' in cache_facts(Stats(counts=Counts(damaged=2)))
    assert f'<dt>units held</dt><dd class="">{count(1234)}</dd>' in cache_facts(Stats())


def test_a_request_is_told_by_shape_time_and_outcome() -> None:
    east = timezone(timedelta(hours=2))
    html = recent_table([answered()], east)

    assert rows(html)[1] == [
        *["14:00:00", "GET", "/dicomweb/studies/…/metadata", "200", "12.3 KB", "42.1 ms", "hit", ""]
    ]
    assert 'title="/dicomweb/studies/{studies}/metadata"' in html


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"outcome": "cut"}, "cut"),
        ({"outcome": "client_gone"}, "client left"),
        ({"status": 502, "error": "connection_timeout"}, "connection_timeout"),
        ({"outcome": "cut", "error": "http_response_incomplete"}, "cut, http_response_incomplete"),
    ],
)
def test_how_a_request_ended_is_told_when_it_did_not_end_well(changes: dict[str, object], end: str) -> None:
    assert rows(recent_table([answered(**changes)], UTC))[1][-1] == end


def test_what_was_never_answered_or_named_nothing_is_told_as_such() -> None:
    row = rows(recent_table([answered(status=None, template=None, bytes=0, cache=None)], UTC))[1]

    assert row == ["12:00:00", "GET", "no such resource", "–", "–", "42.1 ms", "–", ""]


@pytest.mark.parametrize(("status", "tone"), [(200, ""), (404, " fair"), (503, " bad")])
def test_a_status_has_its_colour(status: int, tone: str) -> None:
    assert f'<td class="number{tone}">{status}</td>' in recent_table([answered(status=status)], UTC)


def test_before_the_first_request_there_is_no_table() -> None:
    assert recent_table([], UTC) == '<p class="quiet">No request yet.</p>'


def test_an_upstream_has_its_share_and_its_quota() -> None:
    html = share_table(Stats().shares)

    assert rows(html) == [
        ["Upstream", "Used", "Quota", "Share of its quota", "Pinned"],
        ["north", "600 MB", "–", "–", "–"],
        ["south", "100 MB", "400 MB", "25.0 %", "80.0 MB"],
    ]
    assert 'max="400000000" value="100000000"' in html


def test_a_quota_of_nothing_has_no_share() -> None:
    assert rows(share_table([Share(quota=0)]))[1][2:4] == ["0 B", "–"]


def test_pins_are_spoken_of_when_they_are_too_many_or_lost() -> None:
    assert pin_notes(Pins(), UTC) == ""
    assert "leave no room" in pin_notes(Pins(crowded=True), UTC)
    assert "lost 2025-11-22 12:00" in pin_notes(Pins(lost_at=NOON.timestamp()), UTC)
