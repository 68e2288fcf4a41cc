"""Modalities of studies whose archives leave them out are found in their series, in bounds."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edgerouter.errors import ResponseTimeout
from edgerouter.transactions import lookups as module
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.lookups import Held
from edgerouter.transactions.modalities import Modalities, filled, modalities
from edgerouter.transactions.snapshots import LIFETIME
from edgerouter.upstream.seam import Outbound
from tests.support.hospital import Hospital, MemoryArchive, Study, studies
from tests.transactions.ask import archives, inbound
from tests.transactions.test_locations import Clock

HERE = Held(("1.1",), ("north",))
REQUEST = inbound("/studies?limit=5&PatientID=7")


def over(*hospitals: Hospital, clock: Clock | None = None) -> Modalities:
    return modalities(Federation(archives(*hospitals), {}, 1 << 20), clock or Clock())


async def test_the_modalities_of_a_study_are_those_of_its_series() -> None:
    north = Hospital("north", [Study("1.1", series={"2.1": ("1",), "2.2": ("2",)}, modality="CT")])
    south = Hospital("south", [Study("1.1", series={"2.3": ("3",)}, modality="SR")])
    both = Held(("1.1",), ("north", "south"))

    assert await over(north, south).of(REQUEST, [both]) == {both: ("CT", "SR")}
    assert north.targets() == ["/studies/1.1/series?limit=5000"]


async def test_they_are_remembered_for_as_long_as_a_list_may_be_paged_through() -> None:
    clock, north = Clock(), Hospital("north", studies("1.1"))
    finding = over(north, clock=clock)
    for _ in range(2):
        assert await finding.of(REQUEST, [HERE]) == {HERE: ("CT",)}
    assert len(north.asked) == 1
    clock.now += LIFETIME
    await finding.of(REQUEST, [HERE])

    assert len(north.asked) == 2


async def test_that_there_are_none_is_remembered_too() -> None:
    north = Hospital("north", [Study("1.1", modality="CT")])
    finding = over(north)

    assert await finding.of(REQUEST, [HERE]) == await finding.of(REQUEST, [HERE]) == {HERE: ()}
    assert len(north.asked) == 1


async def test_what_a_failed_source_might_have_said_is_asked_for_again() -> None:
    north = Hospital("north", studies("1.1"), trouble=ResponseTimeout("late", upstream="north"))
    finding = over(north)

    assert await finding.of(REQUEST, [HERE]) == {}
    north.trouble = None
    assert await finding.of(REQUEST, [HERE]) == {HERE: ("CT",)}


class Stuck(MemoryArchive):
    """Never answers about study 1.1."""

    @asynccontextmanager
    async def open(self, outbound: Outbound) -> AsyncIterator[Any]:
        if "1.1" in outbound.path:
            await asyncio.Event().wait()
        async with super().open(outbound) as answer:
            yield answer


async def test_what_takes_too_long_stays_out_and_the_rest_is_there() -> None:
    stuck = Stuck(Hospital("north", studies("1.1", "1.2")))
    finding = modalities(Federation({"north": stuck}, {}, 1 << 20))
    other = Held(("1.2",), ("north",))

    assert await finding.of(REQUEST, [HERE, other], 0.1) == {other: ("CT",)}


async def test_so_many_are_found_for_one_page_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    names = [f"1.{number}" for number in range(5)]
    finding = over(Hospital("north", studies(*names)))

    found = await finding.of(REQUEST, [Held((name,), ("north",)) for name in names])

    assert sorted(study.key[0] for study in found) == names[:3]


async def test_so_many_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CAPACITY", 2)
    north = Hospital("north", studies("1.1", "1.2", "1.3"))
    finding = over(north)
    for name in ("1.1", "1.2", "1.3", "1.1"):
        await finding.of(REQUEST, [Held((name,), ("north",))])

    assert len(north.asked) == 4


def test_a_row_is_filled_in_its_place() -> None:
    row = filled(b'{"0020000D":{"vr":"UI","Value":["1.2"]},"00080020":{"vr":"DA"}}', ["CT", "SR"])

    assert json.loads(row)["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert list(json.loads(row)) == ["00080020", "00080061", "0020000D"]
