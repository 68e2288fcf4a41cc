"""Who is asked for a study, in which order, and what is known of it when nobody gave it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import ConnectError, ResponseTimeout, RouterError
from edgerouter.metrics import REGISTRY
from edgerouter.transactions import holders as module
from edgerouter.transactions import probe
from edgerouter.transactions.holders import Holders
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.probe import Subject
from edgerouter.upstream.seam import Outbound
from tests.support.hospital import Hospital, MemoryArchive, Study, attribute, studies
from tests.support.steps import Reply
from tests.transactions.ask import archives

STUDY, SERIES = Subject("1.1"), Subject("1.1", "1.1.1")


def of(name: str, *uids: str, **more: Any) -> Hospital:
    return Hospital(name, studies(*uids), **more)


class Asked:
    """Takes candidates until there are none, as if none gave the study."""

    def __init__(self, found: Mapping[str, MemoryArchive], locations: Locations | None = None) -> None:
        self.archives = found
        self.locations = locations or Locations()
        self.holders = Holders(found, self.locations)
        self.failures: list[RouterError] = []

    async def all(self, subject: Subject = STUDY) -> list[str]:
        return [one.name async for one in self.holders.of(subject, list(self.archives), self.failures)]

    async def first(self, subject: Subject = STUDY) -> str | None:
        async for one in self.holders.of(subject, list(self.archives), self.failures):
            return one.name
        return None

    def searches(self) -> list[int]:
        return [len(archive.hospital.asked) for archive in self.archives.values()]


async def test_all_are_asked_at_once_and_only_holders_remain() -> None:
    asked = Asked(archives(of("a", "1.2"), of("b", "1.1"), of("c", "1.1")))

    assert await asked.all() == ["b", "c"]
    assert asked.archives["a"].hospital.targets() == ["/studies?StudyInstanceUID=1.1"]
    assert asked.failures == []


async def test_the_one_with_most_instances_comes_first() -> None:
    many = Hospital("b", [Study("1.1", series={"1.1.1": ("1", "2", "3"), "1.1.2": ("4",)})])

    assert await Asked(archives(of("a", "1.1"), many)).all() == ["b", "a"]
    asked = Asked(archives(of("a", "1.1"), many))
    assert await asked.all(SERIES) == ["b", "a"]
    assert many.targets()[-1] == "/studies/1.1/series?SeriesInstanceUID=1.1.1"


async def test_a_holder_that_is_known_is_not_asked_again() -> None:
    asked = Asked(archives(of("a", "1.1"), of("b", "1.1")))
    asked.locations.learn("1.1", "", "b")
    before = REGISTRY.get_sample_value("edgerouter_located_total", {"outcome": "known"}) or 0

    assert await asked.first() == "b"
    assert asked.searches() == [0, 0]
    assert REGISTRY.get_sample_value("edgerouter_located_total", {"outcome": "known"}) == before + 1


async def test_what_a_survey_found_is_known_afterwards() -> None:
    asked = Asked(archives(of("a"), of("b", "1.1"), of("c", "1.1")))
    await asked.first()

    assert await asked.first() == "b"
    assert asked.searches() == [1, 1, 1]


async def test_when_a_known_holder_has_it_no_more_the_others_are_asked() -> None:
    asked = Asked(archives(of("a"), of("b", "1.1"), of("c", "1.1")))
    asked.locations.learn("1.1", "", "a")

    assert await asked.all() == ["a", "b", "c"]
    assert asked.searches() == [0, 1, 1]


async def test_the_last_one_left_is_not_asked_whether_it_has_it() -> None:
    asked = Asked(archives(of("a"), of("b", "1.1")))
    asked.locations.learn("1.1", "", "a")

    assert await asked.all() == ["a", "b"]
    assert await Asked(archives(of("a"))).all() == ["a"]
    assert asked.searches() == [0, 0]


async def test_who_is_sick_comes_last_and_only_when_nobody_else_has_it() -> None:
    found = archives(of("a", "1.1"), of("b", "1.1"), of("c"))
    found["a"].healthy = False
    asked = Asked(found)
    asked.locations.learn("1.1", "", "a", 100)

    assert await asked.first() == "b"
    assert asked.searches() == [0, 1, 1]
    found["b"].hospital.studies = []
    asked.locations.forget("1.1", "b")
    assert await asked.all() == ["a"]


async def test_who_lacks_it_says_so_with_404_or_with_nothing() -> None:
    class Says404(Hospital):
        def answer(self, target: str) -> Reply:
            return Reply(404)

    asked = Asked(archives(Says404("a"), of("b", no_match=200), of("c")))

    assert await asked.all() == []
    assert asked.failures == []


async def test_who_could_not_say_is_a_failure() -> None:
    gone = ConnectError("gone", upstream="b")
    asked = Asked(archives(of("a"), of("b", "1.1", trouble=gone), of("c")))

    assert await asked.all() == []
    assert asked.failures == [gone]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400),
        Reply(200, b"[]", [("Content-Type", "text/html")]),
        Reply(200, b'[{"0020000D":{"vr":"UI"}}]', [("Content-Type", "application/dicom+json")]),
        Reply(200, b'[{"0020000D":{"Value":["9"]}}]', [("Content-Type", "application/dicom+json")]),
    ],
)
async def test_who_cannot_be_searched_so_may_still_have_it(reply: Reply) -> None:
    class Odd(Hospital):
        def answer(self, target: str) -> Reply:
            return reply

    asked = Asked(archives(of("a", "1.1"), Odd("b"), of("c")))

    assert await asked.all() == ["a", "b"]
    assert asked.failures == []


async def test_who_refuses_our_credentials_could_not_say() -> None:
    class Locked(Hospital):
        def answer(self, target: str) -> Reply:
            return Reply(401)

    asked = Asked(archives(of("a"), Locked("b"), of("c")))

    assert await asked.all() == []
    assert [error.status for error in asked.failures] == [502]


async def test_who_takes_no_searches_is_tried_after_those_who_say_that_they_have_it() -> None:
    class Mute(MemoryArchive):
        def takes(self, transaction: Transaction) -> bool:
            return transaction is not Transaction.SEARCH

    found = archives(of("a", "1.1"), of("b", "1.1"), of("c"))
    found["a"].__class__ = Mute

    assert await Asked(found).all() == ["b", "a"]


async def test_a_source_that_says_no_number_is_a_holder_after_those_that_do() -> None:
    unsaid = Study("1.1", {"00201208": attribute("IS")}, {"1.1.1": ("1",)})

    assert await Asked(archives(Hospital("a", [unsaid]), of("b", "1.1"))).all() == ["b", "a"]


class Waiting(MemoryArchive):
    """Says nothing before its gate is opened."""

    gate: asyncio.Event
    reached: asyncio.Event

    @asynccontextmanager
    async def open(self, outbound: Outbound) -> AsyncIterator[Any]:
        self.reached.set()
        await self.gate.wait()
        async with super().open(outbound) as answer:
            yield answer


def waiting(archive: MemoryArchive) -> Waiting:
    archive.__class__ = Waiting
    assert isinstance(archive, Waiting)
    archive.gate, archive.reached = asyncio.Event(), asyncio.Event()
    return archive


async def test_a_holder_does_not_wait_for_who_says_nothing() -> None:
    found = archives(of("a", "1.1"), of("b", "1.1"))
    slow = waiting(found["a"])
    asked = Asked(found)

    assert await asked.first() == "b"
    slow.gate.set()
    assert await asked.all() == ["b", "a"]


async def test_a_better_holder_is_waited_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE", 60.0)
    better = Hospital("a", [Study("1.1", series={"1.1.1": ("1", "2")})])
    found = archives(better, of("b", "1.1"), of("c"))
    slow = waiting(found["a"])
    asked = Asked(found)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(asked.first())
        await slow.reached.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not first.done()
        slow.gate.set()

    assert first.result() == "a"


async def test_who_says_nothing_at_all_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "DEADLINE", 0.02)
    found = archives(of("a"), of("b", "1.1"))
    slow = waiting(found["b"])
    asked = Asked(found)

    assert await asked.all() == []
    assert [type(error) for error in asked.failures] == [ResponseTimeout]
    assert slow.waited == [0.02]


async def test_many_who_look_for_the_same_ask_once() -> None:
    found = archives(of("a", "1.1"), of("b"))
    slow = waiting(found["a"])
    asked = Asked(found)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asked.first()) for _ in range(10)]
        await slow.reached.wait()
        slow.gate.set()

    assert [task.result() for task in tasks] == ["a"] * 10
    assert asked.searches() == [1, 1]


async def test_who_learns_meanwhile_that_one_lacks_it_does_not_ask_the_others_again() -> None:
    asked = Asked(archives(of("a"), of("b", "1.1")))
    slow = waiting(asked.archives["b"])
    async with asyncio.TaskGroup() as group:
        all_of = group.create_task(asked.holders.survey(STUDY, ["a", "b"], known=False))
        await slow.reached.wait()
        rest = group.create_task(asked.holders.survey(STUDY, ["b"], known=False))
        for _ in range(20):
            await asyncio.sleep(0)
        slow.gate.set()

    assert (all_of.result().holds, rest.result().holds) == ({"b": 1}, {"b": 1})
    assert asked.searches() == [1, 1]
