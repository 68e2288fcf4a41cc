"""Search through the whole router when archives fail: the others are searched, the missing ones named."""

import asyncio
from itertools import product

import pytest

from tests.scenarios.edge import JSON, edge_over
from tests.scenarios.edge import NAMES as FIVE
from tests.scenarios.test_federated_search import NAMES, hospitals, searching, three, uids, warnings
from tests.support.hospital import Hospital, studies
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Close, Note, Reset, ScriptedUpstream, Send, Stall, Step, closed_port
from tests.support.scripted import Reply as Scripted

DOWN = [Scripted(500)]
STOPPED = [Stall()]
SOON = searching(deadline="150ms")


@pytest.mark.parametrize("state", list(product(["up", "down", "stopped"], repeat=3)), ids="-".join)
async def test_every_combination_of_archives_gives_its_rows_and_names_the_missing(
    state: tuple[str, ...],
) -> None:
    given = three()
    for one, condition in zip(given, state, strict=True):
        one.trouble = {"up": None, "down": DOWN, "stopped": STOPPED}[condition]
    async with hospitals(*given, rules=SOON) as edge:
        reply = await edge.ask("/studies", JSON)

    if "up" not in state:
        status = 504 if set(state) == {"stopped"} else 502
        assert status == reply.status
        detail = reply.problem(status)
        assert all(name in detail for name in NAMES)
        return
    held = {
        uid for one, condition in zip(given, state, strict=True) if condition == "up" for uid in _held(one)
    }
    words = {"down": "error", "stopped": "timeout"}
    assert reply.status == 200
    assert sorted(uids(reply)) == sorted(held)
    assert warnings(reply) == [
        f"Source {name} did not answer ({words[condition]}); results may be incomplete"
        for name, condition in zip(NAMES, state, strict=True)
        if condition != "up"
    ]
    assert (reply.get("proxy-status") or "").count("next-hop=") == sum(each != "up" for each in state)


def _held(hospital: Hospital) -> list[str]:
    return [study.uid for study in hospital.studies]


@pytest.mark.parametrize(
    "up", list(product([True, False], repeat=5)), ids=lambda up: "".join("DU"[o] for o in up)
)
async def test_all_combinations_of_five_archives_give_status_rows_and_warnings(up: tuple[bool, ...]) -> None:
    """Archive n has study n and shares one with the next; who is down is in turn gone, failing, refusing."""
    five = [Hospital(name, studies(f"1.{n}", f"2.{n}", f"2.{(n + 1) % 5}")) for n, name in enumerate(FIVE)]
    ways: list[list[Step]] = [[Scripted(500)], [Close()], [Scripted(503)], [Scripted(401)], [Scripted(404)]]
    words = ["error", "error", "overloaded", "unauthorized", "error"]
    for one, works, way in zip(five, up, ways, strict=True):
        one.trouble = None if works else way
    async with hospitals(*five) as edge:
        reply = await edge.ask("/studies", JSON)
        first = await edge.ask("/studies?limit=2", JSON)

    if not any(up):
        assert "No archive answered" in reply.problem(502)
        assert all(f"{name} ({word})" in reply.json["detail"] for name, word in zip(FIVE, words, strict=True))
        return
    held = {uid for one, works in zip(five, up, strict=True) if works for uid in _held(one)}
    missing = [
        f"Source {name} did not answer ({word}); results may be incomplete"
        for name, word, works in zip(FIVE, words, up, strict=True)
        if not works
    ]
    assert (reply.status, uids(reply), warnings(reply)) == (200, sorted(held), missing)
    assert (reply.get("proxy-status") or "").count("next-hop=") == len(missing)
    left = f"There are {len(held) - 2} additional results that can be requested"
    assert (uids(first), warnings(first)) == (sorted(held)[:2], [*missing, left])


async def test_an_archive_that_sends_rubbish_is_named() -> None:
    north, south, west = three()
    north.trouble = [Scripted(body=b"<html>Log in</html>", fields=[("Content-Type", "text/html")])]
    south.trouble = [Scripted(body=b'[{"0020000D":', fields=[("Content-Type", JSON)])]
    async with hospitals(north, south, west, rules=SOON) as edge:
        reply = await edge.ask("/studies", JSON)

    assert uids(reply) == ["1.3"]
    assert [text.split(" ")[:6] for text in warnings(reply)] == [
        ["Source", name, "did", "not", "answer", "(error);"] for name in ("north", "south")
    ]


async def test_an_answer_that_breaks_off_in_the_middle_is_no_answer() -> None:
    north, south, west = three()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nContent-Length: 9999\r\n\r\n"
    north.trouble = [Send(head.encode() + b'[{"0020000D":{"vr":"UI","Value":["6.6"]}},'), Reset()]
    async with hospitals(north, south, west, rules=SOON) as edge:
        reply = await edge.ask("/studies", JSON)

    assert uids(reply) == ["1.3", "1.2", "1.4"]
    assert warnings(reply) == ["Source north did not answer (error); results may be incomplete"]


async def test_an_archive_that_is_only_slow_in_sending_is_late() -> None:
    north, south, west = three()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nContent-Length: 9999\r\n\r\n["
    north.trouble = [Send(head.encode()), Stall()]
    async with hospitals(north, south, west, rules=SOON) as edge:
        reply = await edge.ask("/studies", JSON)

    assert warnings(reply) == ["Source north did not answer (timeout); results may be incomplete"]


async def test_a_rule_that_wants_every_archive_gets_all_or_an_error() -> None:
    given = three()
    async with hospitals(*given, rules=searching(deadline="150ms", partial="fail")) as edge:
        assert len((await edge.ask("/studies", JSON)).json) == 4
        given[1].trouble = STOPPED
        late = await edge.ask("/studies?offset=0&limit=1", JSON, fields=[("Cache-Control", "no-cache")])
        given[1].trouble = DOWN
        gone = await edge.ask("/studies?offset=0&limit=1", JSON, fields=[("Cache-Control", "no-cache")])

    assert "south (timeout)" in late.problem(504)
    assert "south (error)" in gone.problem(502)


async def test_an_archive_that_stays_silent_is_not_waited_for_any_more() -> None:
    given = three()
    given[0].trouble = STOPPED
    async with hospitals(*given, rules=SOON) as edge:
        for _ in range(5):
            await edge.ask("/studies", JSON)
        asked = len(given[0].asked)
        reply = await edge.ask("/studies", JSON)

        assert warnings(reply) == ["Source north did not answer (resting); results may be incomplete"]
        assert len(given[0].asked) == asked == 5
        assert sorted(uids(reply)) == ["1.2", "1.3", "1.4"]


async def test_an_archive_that_is_gone_is_named_too() -> None:
    north, south, _ = three()
    async with (
        ScriptedUpstream(north) as first,
        ScriptedUpstream(south) as second,
        edge_over(first, second, f"http://127.0.0.1:{closed_port()}") as edge,
    ):
        reply = await edge.ask("/studies", JSON)

    assert uids(reply) == ["1.1", "1.2", "1.4"]
    assert warnings(reply) == ["Source west did not answer (error); results may be incomplete"]


async def test_a_client_that_leaves_leaves_nothing_behind() -> None:
    given = three()
    asked = asyncio.Event()
    given[0].trouble = [Note(asked.set), Stall()]
    async with hospitals(*given, rules=searching(deadline="60s")) as edge, RawClient(edge.port) as client:
        await client.send(request("/dicomweb/studies", fields=[("Accept", JSON)]))
        await asked.wait()
        client.close()
