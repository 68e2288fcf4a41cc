"""What an operator may ask, and what is refused; as documents, which is what both ways in speak."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.cache.cache import Cache
from edgerouter.cache.commands import COMMANDS, Refused, command
from edgerouter.cache.operations import Document, Operations
from tests.cache.support import describe, instance, noise, opened, put, until

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


async def run(cache: Cache, name: str, told: list[Document] | None = None, **arguments: Any) -> Document:
    tell = (lambda progress: None) if told is None else told.append
    found = await Operations(cache, ["a", "b"]).run(command(name, arguments), tell)
    json.dumps(found)  # it is to leave as JSON
    return found


async def put_two(cache: Cache) -> None:
    await put(cache, instance(study="1.2"), noise(30_000))
    await put(cache, instance(study="1.10"), noise(1000))
    await put(cache, instance(2, study="1.10"), noise(1001))
    await cache.catalog.date("a", "1.2", "20200102")
    await describe(cache, "1.2", PatientID="4711", IssuerOfPatientID="A")


@given(st.sampled_from(sorted(COMMANDS)), json_values)
def test_whatever_is_asked_is_a_command_or_refused(name: str, arguments: Any) -> None:
    try:
        assert isinstance(command(name, arguments), COMMANDS[name])
    except Refused as error:
        told = str(error)
    else:
        return
    assert told.startswith(f"The arguments of {name} are not valid")


async def test_stats_tell_shares_pins_and_the_last_verification(tmp_path: Path) -> None:
    async with opened(tmp_path, quotas={"b": 1000}) as cache:
        await put_two(cache)
        assert (await run(cache, "stats"))["verification"] is None
        await run(cache, "pin", study="1.2")
        await run(cache, "verify")
        stats = await run(cache, "stats")
        assert stats["units"] == 3
        assert [(share["upstream"], share["quota"]) for share in stats["shares"]] == [
            ("a", None),
            ("b", 1000),
        ]
        assert stats["pinned"]["studies"] == 1
        assert (stats["verification"]["units"], stats["verification"]["ended"]) == (3, "done")


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("bytes", "1.2"),
        ("units", "1.10"),
        ("date", "1.2"),
        ("study", "1.2"),
        ("used", "1.2"),
        ("upstream", "1.10"),
    ],
)
async def test_studies_are_listed_in_order(tmp_path: Path, order: str, first: str) -> None:
    now = [0.0]
    async with opened(tmp_path) as cache:
        await put_two(cache)
        now[0] = 4e9
        cache.catalog._clock = lambda: now[0]
        cache.catalog.touch("a", "1.2")
        found = await run(cache, "ls", order=order, limit=1)
        assert [study["study"] for study in found["studies"]] == [first]
        assert found["of"] == 2


async def test_patients_are_shown_only_when_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_two(cache)
        assert "4711" not in json.dumps(await run(cache, "ls"))
        shown = {one["study"]: one["patient"] for one in (await run(cache, "ls", patients=True))["studies"]}
        assert shown == {"1.2": {"id": "4711", "issuer": "A", "name": None}, "1.10": None}


async def test_pins_are_made_listed_and_taken_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put_two(cache)
        made = await run(cache, "pin", query="PatientID=4711", upstream="a")
        assert (made["pinned"]["studies"], made["undecided"]) == (1, 1)
        (pin,) = (await run(cache, "pins"))["pins"]
        assert (pin["query"], pin["study"], pin["upstream"]) == ("PatientID=4711", None, "a")
        with pytest.raises(Refused, match="no such pin"):
            await run(cache, "unpin", query="PatientID=4711")
        after = await run(cache, "unpin", query="PatientID=4711", upstream="a")
        assert after["pinned"]["pins"] == 0


async def test_a_purge_tells_how_far_it_is_and_what_came_of_it(tmp_path: Path) -> None:
    told: list[Document] = []
    async with opened(tmp_path) as cache:
        await put_two(cache)
        found = await run(cache, "purge", told, patient="4711")
        assert found == {
            "studies": 1,
            "units": 1,
            "unknown": [{"upstream": "a", "study": "1.10"}],
            "spared": 0,
            "busy": 0,
        }
        assert told[-1] == {"done": 1, "of": 1, "what": "studies"}


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("purge", {}, "Say what"),
        ("purge", {"everything": True, "study": "1.2"}, "Say what"),
        ("purge", {"issuer": "A", "study": "1.2"}, "name the patient"),
        ("purge", {"upstream": "c"}, "no upstream"),
        ("pin", {}, "Name a study or a query"),
        ("pin", {"study": "1.2", "query": "PatientID=1"}, "Name a study or a query"),
        ("pin", {"study": "1.2", "upstream": "c"}, "no upstream"),
        ("pin", {"query": "PatientId=1"}, "no attribute"),
        ("unpin", {"study": "1.2"}, "no such pin"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    tmp_path: Path, name: str, arguments: dict[str, Any], why: str
) -> None:
    async with opened(tmp_path) as cache:
        await put_two(cache)
        with pytest.raises(Refused, match=why):
            await run(cache, name, **arguments)
        assert (await run(cache, "stats"))["studies"] == 2


async def test_what_is_held_of_an_upstream_that_is_configured_no_more_can_be_purged(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await put(cache, instance(upstream="old"), noise(10))
        assert (await run(cache, "purge", upstream="old"))["studies"] == 1


async def test_there_is_one_verification_at_a_time_and_it_can_be_stopped(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache, asyncio.TaskGroup() as group:
        for number in range(3):
            await put(cache, instance(number + 1), noise(1_000_000, number))
        assert (await run(cache, "stop")) == {"was_running": False}
        first = group.create_task(run(cache, "verify", rate=1_000_000))
        await until(lambda: cache.verifier.is_running)
        with pytest.raises(Refused, match="under way"):
            await run(cache, "verify")
        assert (await run(cache, "stop")) == {"was_running": True}
        assert (await first)["ended"] == "stopped"


async def test_a_catalog_that_fails_is_a_refusal(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await cache._desk.run(cache._shelf.database.connection.execute, "ALTER TABLE pin RENAME TO gone")
        with pytest.raises(Refused, match="catalog cannot be used"):
            await run(cache, "pins")
