"""An archive that does not answer: what is held of it is served, and says so; what is not fails."""

from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, IMPATIENT, JSON, OCTETS, PUBLIC
from tests.scenarios.pacs import DERIVED, keeping
from tests.scenarios.patients import Clock, Registry, clock
from tests.support.scripted import Reset, Stall, Step

__all__ = ["clock"]

OFFLINE = "edgerouter; hit; detail=offline"
HELD = {
    "study": (Registry.study, DICOM),
    "series": (Registry.series, DICOM),
    "instance": (Registry().instance(2), DICOM),
    "metadata": (f"{Registry.series}/metadata", JSON),
}
SILENCE: dict[str, int | Step] = {"unavailable": 503, "broken": 500, "reset": Reset(), "mute": Stall()}


@pytest.mark.parametrize("how", SILENCE)
@pytest.mark.parametrize("what", HELD)
async def test_what_is_held_is_served_with_a_label_when_its_archive_does_not_answer(
    tmp_path: Path, clock: Clock, what: str, how: str
) -> None:
    pacs = Registry()
    path, accept = HELD[what]
    async with keeping(pacs, folder=tmp_path, settings=IMPATIENT) as edge:
        cold = await edge.ask(path, accept)
        await edge.kept()
        clock.forward(days=3)
        silent(pacs, how)
        reply = await edge.ask(path, accept)

        assert (reply.status, reply.body, reply.complete) == (200, cold.body, True)
        assert reply.get("cache-status") == OFFLINE
        assert reply.get("age") == str(3 * 86400)
        warning = reply.get("warning") or ""
        assert warning.startswith(f"299 {PUBLIC}: The archive did not answer")


async def test_frames_are_cut_out_of_what_is_held_as_ever(tmp_path: Path, clock: Clock) -> None:
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        clock.forward(days=3)
        pacs.down = 503
        frame = await edge.ask(f"{pacs.instance(2)}/frames/1", OCTETS)

        assert (frame.parts[0].body, frame.get("cache-status")) == (pacs.frame(2, 1), DERIVED)


@pytest.mark.parametrize(("max_stale", "days", "status"), [("2d", 3, 503), ("3d", 3, 200), ("0s", 3, 503)])
async def test_a_rule_says_for_how_long(
    tmp_path: Path, clock: Clock, max_stale: str, days: int, status: int
) -> None:
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path, route={"max_stale": max_stale}) as edge:
        await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        clock.forward(days=days)
        pacs.down = 503
        assert (await edge.ask(pacs.instance(1), DICOM)).status == status


async def test_what_is_not_held_fails_and_says_who_is_to_blame(tmp_path: Path) -> None:
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        pacs.down = 503
        for path, accept in ((pacs.instance(2), DICOM), (pacs.series, DICOM), (pacs.study, DICOM)):
            reply = await edge.ask(path, accept)
            reply.problem(503)
            assert "north" in (reply.get("proxy-status") or "")


async def test_an_archive_that_is_known_to_be_down_is_not_waited_for(tmp_path: Path, clock: Clock) -> None:
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path, settings=IMPATIENT) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        clock.forward(hours=25)
        silent(pacs, "reset")
        while edge.archives["north"].healthy:
            await edge.ask(f"{pacs.instance(1)}/rendered", "image/jpeg")
        mark = len(pacs.seen)
        reply = await edge.ask(pacs.series, DICOM)

        assert (reply.status, reply.get("cache-status")) == (200, OFFLINE)
        assert pacs.seen[mark:] == []


async def test_who_wants_no_answer_from_memory_is_told_the_truth(tmp_path: Path) -> None:
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        pacs.down = 503
        anew = await edge.ask(pacs.instance(1), DICOM, fields=[("Cache-Control", "no-cache")])
        anew.problem(503)


async def test_an_archive_that_refuses_us_is_believed(tmp_path: Path, clock: Clock) -> None:
    """Law 8: it may have changed its mind about who may read."""
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        clock.forward(days=3)
        pacs.down = 401
        (await edge.ask(pacs.instance(1), DICOM)).problem(502)


async def test_the_archive_that_answers_again_is_asked_again(tmp_path: Path, clock: Clock) -> None:
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        clock.forward(hours=1)
        pacs.down = 503
        assert (await edge.ask(pacs.series, DICOM)).get("cache-status") == OFFLINE
        pacs.down = 0
        assert (await edge.ask(pacs.series, DICOM)).get("cache-status") != OFFLINE


def silent(pacs: Registry, how: str) -> None:
    """From now on the archive does not answer."""
    silence = SILENCE[how]
    if isinstance(silence, int):
        pacs.down = silence
        return
    step: Step = silence
    for path in (
        pacs.study,
        pacs.series,
        f"{pacs.series}/metadata",
        f"{pacs.study}/instances",
        f"{pacs.series}/instances",
        *(pacs.instance(number) for number in pacs.numbers),
        *(f"{pacs.instance(number)}/metadata" for number in pacs.numbers),
        *(f"{pacs.instance(number)}/rendered" for number in pacs.numbers),
    ):
        pacs.say[path] = lambda seen: [step]
