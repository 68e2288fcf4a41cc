"""All pixel data of an instance, series or study out of held instances (PS3.18 §10.4.3.3.6)."""

from pathlib import Path

import pytest

from edgerouter.transactions import retrieve_pixels
from tests.scenarios.edge import DICOM, OCTETS, PUBLIC
from tests.scenarios.pacs import (
    AS_STORED,
    BYPASS,
    DERIVED,
    EXPLICIT,
    HIT,
    UNCOMPRESSED,
    Pacs,
    keeping,
)
from tests.scenarios.pictures import (
    MPEG2,
    codestream,
    compressed,
    holding,
    native,
    pictured,
    refusing,
    report,
    video,
    without_table,
)
from tests.scenarios.retrieves import instances
from tests.support.scripted import Reply as Scripted

FETCHED = "edgerouter; fwd=miss; stored; detail=derived"
THEIRS = b"their own"


def their_own(pacs: Pacs, place: str) -> str:
    """Let the archive answer for the pixel data of something."""
    path = f"{place}/pixeldata"
    parts = [([("Content-Type", "application/octet-stream")], THEIRS)]
    pacs.say[path] = lambda _: pacs.parts(path, parts, "application/octet-stream")
    return path


@pytest.mark.parametrize("level", ["study", "series", "instance"])
async def test_every_frame_of_every_instance_that_has_some(tmp_path: Path, level: str) -> None:
    pacs = Pacs(slices=3, frames=2)
    holding(pacs, native(pacs, 1), report(2), native(pacs, 3))
    place = {"study": pacs.study, "series": pacs.series, "instance": pacs.instance(3)}[level]
    numbers = [3] if level == "instance" else [1, 3]
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.study, DICOM)
        await edge.kept()
        reply = await edge.ask(f"{place}/pixeldata", OCTETS)
        head = await edge.ask(f"{place}/pixeldata", OCTETS, method="HEAD")

        assert [part.body for part in reply.parts] == [pacs.frame(n, f) for n in numbers for f in (1, 2)]
        assert reply.parts[-1].fields == {
            "content-type": UNCOMPRESSED,
            "content-length": "1000",
            "content-location": f"{PUBLIC}{pacs.instance(3)}/frames/2",
        }
        assert reply.get("cache-status") == DERIVED
        assert (head.get("etag"), head.get("content-length")) == (reply.get("etag"), str(len(reply.body)))
        assert pacs.asked == [pacs.study]


async def test_each_instance_has_its_own_form(tmp_path: Path) -> None:
    pacs = Pacs(slices=2, frames=2)
    holding(pacs, native(pacs, 1), compressed(pacs, 2))
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.study, DICOM + AS_STORED)
        await edge.kept()
        both = f'{OCTETS}{AS_STORED}, multipart/related; type="image/jp2"; transfer-syntax=*'
        reply = await edge.ask(f"{pacs.series}/pixeldata", both)
        path = their_own(pacs, pacs.series)
        plain = await edge.ask(path, OCTETS)

        assert [part.body for part in reply.parts] == [
            *(pacs.frame(1, frame) for frame in (1, 2)),
            *(codestream(pacs, 2, frame) for frame in (1, 2)),
        ]
        assert (plain.parts[0].body, plain.get("cache-status")) == (THEIRS, BYPASS)


async def test_an_instance_that_is_not_held_is_fetched_and_cut(tmp_path: Path) -> None:
    pacs = pictured(Pacs(slices=1))
    path = f"{pacs.instance(1)}/pixeldata"
    async with keeping(pacs, folder=tmp_path) as edge:
        cold = await edge.ask(path, OCTETS)
        warm = await edge.ask(path, OCTETS)

        assert [part.body for part in cold.parts] == [pacs.frame(1, frame) for frame in (1, 2, 3, 4)]
        assert cold.body == warm.body
        assert (cold.get("cache-status"), warm.get("cache-status")) == (FETCHED, DERIVED)
        assert (await edge.ask(f"{pacs.instance(1)}/frames/2", OCTETS)).get("cache-status") == DERIVED
        assert (await edge.ask(pacs.instance(1), DICOM)).get("cache-status") == HIT
        assert pacs.asked == [pacs.instance(1)]
        assert pacs.seen[0].get("accept") == DICOM


@pytest.mark.parametrize("why", ["not kept", "refused", "no pixels", "not to be told apart"])
async def test_what_cannot_be_cut_is_passed_on(tmp_path: Path, why: str) -> None:
    pacs = Pacs(slices=1)
    odd = {"no pixels": report(1), "not to be told apart": without_table(pacs, 1)}
    holding(pacs, odd.get(why, native(pacs, 1)))
    path = their_own(pacs, pacs.instance(1))
    if why == "not kept":
        pacs.fields = [("Cache-Control", "no-store")]
    if why == "refused":
        refusing(pacs, pacs.instance(1), 406)
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(path, OCTETS)

        assert ([part.body for part in reply.parts], reply.get("cache-status")) == ([THEIRS], BYPASS)
        assert pacs.asked == [pacs.instance(1), path]


async def test_an_instance_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    pacs = Pacs(slices=1)
    pacs.say[pacs.instance(1)] = lambda _: [Scripted(404)]
    async with keeping(pacs, folder=tmp_path) as edge:
        (await edge.ask(f"{pacs.instance(1)}/pixeldata", OCTETS)).problem(404)


async def test_a_video_is_the_stream_that_it_is(tmp_path: Path) -> None:
    stream = bytes(range(256)) * 8
    pacs = holding(Pacs(slices=2, frames=2), native(Pacs(frames=2), 1), video(2, stream))
    wanted = f'{OCTETS}, multipart/related; type="video/mpeg"; transfer-syntax={MPEG2}'
    value = f"{pacs.instance(2)}/dataset/7FE00010"
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM + AS_STORED)
        await edge.kept()
        all_of_it = await edge.ask(f"{pacs.series}/pixeldata", wanted)
        alone = await edge.ask(value, f"video/mpeg; transfer-syntax={MPEG2}")
        their_own(pacs, pacs.series)
        octets = await edge.ask(f"{pacs.series}/pixeldata", OCTETS)

        assert [part.body for part in all_of_it.parts] == [pacs.frame(1, 1), pacs.frame(1, 2), stream]
        assert all_of_it.parts[2].fields == {
            "content-type": f"video/mpeg; transfer-syntax={MPEG2}",
            "content-length": "2048",
            "content-location": f"{PUBLIC}{value}",
        }
        assert (alone.body, alone.get("cache-status")) == (stream, DERIVED)
        assert octets.get("cache-status") == BYPASS


async def test_more_frames_than_one_answer_may_have_are_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieve_pixels, "_MOST", 3)
    pacs = pictured(Pacs(slices=1, frames=4))
    path = their_own(pacs, pacs.instance(1))
    async with keeping(pacs, folder=tmp_path) as edge:
        assert (await edge.ask(path, OCTETS)).get("cache-status") == BYPASS


async def test_a_series_that_is_not_all_held_is_the_archives_to_answer(tmp_path: Path) -> None:
    pacs = pictured(Pacs(slices=2))
    path = their_own(pacs, pacs.series)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        reply = await edge.ask(path, OCTETS)

        assert reply.get("cache-status") == BYPASS
        assert pacs.asked[-1] == path


async def test_pixels_outlive_their_header(tmp_path: Path) -> None:
    """What is said of the patient changed: the pixels did not, and do not cross the line again."""
    pacs = pictured(Pacs(slices=1))
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        assert edge.cache is not None
        [held] = await instances(edge)
        await edge.cache.catalog.date_headers([held.key], -1.0)
        reply = await edge.ask(f"{pacs.series}/pixeldata", OCTETS)

        assert reply.get("cache-status") == DERIVED
        assert held.key.syntax == EXPLICIT
        assert pacs.asked == [pacs.series]
