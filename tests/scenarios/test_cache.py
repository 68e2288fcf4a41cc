"""What was retrieved once is answered without the archive: the same bytes, also after a restart."""

from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, PUBLIC
from tests.scenarios.pacs import (
    AS_STORED,
    EXPLICIT,
    HIT,
    MISS,
    PARTIAL,
    SERIES,
    STUDY,
    VALIDATED,
    Pacs,
    instance,
    keeping,
)

RESOURCES = {
    "study": ("{study}", DICOM),
    "series": ("{series}", DICOM + AS_STORED),
    "instance": ("{instance}", DICOM),
    "instance alone": ("{instance}", "application/dicom"),
    "frame": ("{instance}/frames/2", OCTETS + AS_STORED),
    "frame alone": ("{instance}/frames/2", "application/octet-stream"),
    "frame list": ("{instance}/frames/2,3", OCTETS),
    "frame list out of order": ("{instance}/frames/3,1,3", OCTETS),
    "study metadata": ("{study}/metadata", JSON),
    "series metadata": ("{series}/metadata", JSON),
    "instance metadata": ("{instance}/metadata", JSON),
    "rendered": ("{instance}/rendered?quality=50&viewport=64%2C64", "image/jpeg"),
    "rendered frame": ("{instance}/frames/2/rendered", "image/jpeg"),
    "thumbnail": ("{instance}/thumbnail", "image/*"),
    "value": ("{instance}/bulk/7fe00010", OCTETS),
    "value alone": ("{instance}/bulk/7fe00010", "application/octet-stream"),
}


def resource(pacs: Pacs, name: str) -> tuple[str, str]:
    path, accept = RESOURCES[name]
    return path.format(study=pacs.study, series=pacs.series, instance=pacs.instance(2)), accept


@pytest.mark.parametrize("name", RESOURCES)
async def test_the_second_answer_is_the_first_and_the_archive_hears_of_one(tmp_path: Path, name: str) -> None:
    pacs = Pacs()
    path, accept = resource(pacs, name)
    async with keeping(pacs, folder=tmp_path) as edge:
        cold = await edge.ask(path, accept)
        await edge.kept()
        asked = len(pacs.seen)
        warm = await edge.ask(path, accept)

        assert (cold.status, warm.status) == (200, 200)
        assert cold.get("content-type") == warm.get("content-type")
        assert cold.body == warm.body
        assert (cold.get("cache-status"), warm.get("cache-status")) == (MISS, HIT)
        assert len(pacs.seen) == asked


@pytest.mark.parametrize("name", RESOURCES)
async def test_what_was_kept_is_there_after_a_restart(tmp_path: Path, name: str) -> None:
    pacs = Pacs()
    path, accept = resource(pacs, name)
    async with keeping(pacs, folder=tmp_path) as edge:
        cold = await edge.ask(path, accept)
        await edge.kept()
    asked = len(pacs.seen)
    async with keeping(pacs, folder=tmp_path) as edge:
        warm = await edge.ask(path, accept)

        assert (warm.body, warm.get("cache-status")) == (cold.body, HIT)
        assert len(pacs.seen) == asked


@pytest.mark.parametrize("sized", [True, False], ids=["sized", "unsized"])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_series_is_kept_whatever_frames_it(tmp_path: Path, framing: str, sized: bool) -> None:
    pacs = Pacs(framing=framing, sized=sized)
    async with keeping(pacs, folder=tmp_path) as edge:
        for status in (MISS, HIT):
            reply = await edge.ask(pacs.series, DICOM)
            await edge.kept()

            assert [part.body for part in reply.parts] == pacs.files
            assert reply.get("cache-status") == status
        assert pacs.asked == [pacs.series]


async def test_a_part_says_what_it_is_and_where_it_is_from(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        for _ in range(2):
            part = (await edge.ask(pacs.series, DICOM)).parts[1]
            await edge.kept()
            assert part.fields == {
                "content-type": f"application/dicom; transfer-syntax={EXPLICIT}",
                "content-length": str(len(pacs.files[1])),
                "content-location": f"{PUBLIC}/studies/{STUDY}/series/{SERIES}/instances/{instance(2)}",
            }


async def test_each_client_is_told_the_base_that_it_knows(tmp_path: Path) -> None:
    """Unrewritten bytes are kept (law 1): what one client fetched names another's router to the other."""
    pacs = Pacs()
    other = "http://other.example/dicomweb"
    async with keeping(pacs, folder=tmp_path, server={"trusted_proxies": ["127.0.0.0/8"]}) as edge:
        for path, accept in ((pacs.series, DICOM), (f"{pacs.series}/metadata", JSON)):
            first = await edge.ask(path, accept)
            await edge.kept()
            second = await edge.ask(path, accept, fields=[("X-Forwarded-Host", "other.example")])

            assert second.get("cache-status") == HIT
            assert PUBLIC.encode() not in second.body
            assert second.body.replace(other.encode(), PUBLIC.encode()) == first.body


async def test_the_instances_of_a_series_are_held_each_for_itself(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        reply = await edge.ask(pacs.instance(3), "application/dicom")

        assert (reply.body, reply.get("cache-status")) == (pacs.files[2], HIT)
        assert pacs.asked == [pacs.series]


async def test_the_study_answers_for_its_series(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        for path, accept in ((pacs.study, DICOM), (f"{pacs.study}/metadata", JSON)):
            await edge.ask(path, accept)
            await edge.kept()
        series = await edge.ask(pacs.series, DICOM)
        metadata = await edge.ask(f"{pacs.series}/metadata", JSON)

        assert [part.body for part in series.parts] == pacs.files
        assert len(metadata.json) == 3
        assert pacs.asked == [pacs.study, f"{pacs.study}/metadata"]


@pytest.mark.parametrize("listed", [True, False])
async def test_the_parts_are_no_proof_of_the_whole(tmp_path: Path, listed: bool) -> None:
    """Every instance is held, and nobody said that these are all: that is asked, and not the pixels."""
    pacs = Pacs(slices=2, listed=listed)
    async with keeping(pacs, folder=tmp_path) as edge:
        for number in (1, 2):
            await edge.ask(pacs.instance(number), DICOM)
        await edge.kept()
        reply = await edge.ask(pacs.series, DICOM)

        assert [part.body for part in reply.parts] == pacs.files
        assert reply.get("cache-status") == (VALIDATED if listed else PARTIAL)
        assert pacs.asked[2:] == [f"{pacs.series}/instances", *([] if listed else [pacs.series])]


async def test_every_spelling_of_one_wish_is_answered_by_the_same_bytes(tmp_path: Path) -> None:
    pacs = Pacs()
    path = f"{pacs.instance(1)}/frames/1"
    async with keeping(pacs, folder=tmp_path) as edge:
        for accept in (
            'multipart/related; type="application/octet-stream"; transfer-syntax=*',
            'multipart/related;type=application/octet-stream;transfer-syntax="*"',
            f'multipart/related; type="application/octet-stream"; transfer-syntax={EXPLICIT}',
            f'{OCTETS}; transfer-syntax="{EXPLICIT}"; transfer-syntax="*"',  # OHIF
            "application/octet-stream",
            "*/*",
        ):
            reply = await edge.ask(path, accept)
            await edge.kept()
            assert pacs.frame(1, 1) in reply.body
        assert len(pacs.seen) == 1


async def test_a_cache_that_may_hold_nothing_is_none(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        assert edge.cache is not None
        edge.cache.room.pause()  # as after a write error
        for _ in range(2):
            reply = await edge.ask(pacs.series, DICOM)
            await edge.kept()

            assert [part.body for part in reply.parts] == pacs.files
            assert reply.get("cache-status") == "edgerouter; fwd=miss"
        assert pacs.asked == [pacs.series] * 2
