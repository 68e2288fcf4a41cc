"""What is never kept, and what is never answered from memory."""

from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, PUBLIC, XML, multipart, related
from tests.scenarios.pacs import AS_STORED, BYPASS, COMPRESSED, HIT, MISS, SERIES, STUDY, Pacs, file, keeping
from tests.support.scripted import Close
from tests.support.scripted import Reply as Scripted

FRAME = "/studies/1.2/series/1.2.3/instances/1.2.3.1/frames/1"
PASSED = "edgerouter; fwd=miss"


@pytest.mark.parametrize(
    "field",
    [
        ("Cache-Control", "private, NO-STORE"),
        ("Vary", "Accept, *"),
    ],
)
@pytest.mark.parametrize(("path", "accept"), [("{series}", DICOM), ("{series}/metadata", JSON)])
async def test_what_the_archive_wants_forgotten_is_never_kept(
    tmp_path: Path, field: tuple[str, str], path: str, accept: str
) -> None:
    pacs = Pacs(fields=[field])
    path = path.format(series=pacs.series)
    async with keeping(pacs, folder=tmp_path) as edge:
        for _ in range(2):
            reply = await edge.ask(path, accept)
            await edge.kept()
            assert (reply.status, reply.get("cache-status")) == (200, PASSED)
        assert len(pacs.seen) == 2
        if field[0] == "Cache-Control":
            assert reply.get("cache-control") == "private, no-store"


async def test_private_is_no_hindrance_since_every_hit_passes_our_door(tmp_path: Path) -> None:
    pacs = Pacs(fields=[("Cache-Control", "private, max-age=0")])
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(FRAME, OCTETS)
        await edge.kept()
        assert (await edge.ask(FRAME, OCTETS)).get("cache-status") == HIT


async def test_a_client_that_wants_nothing_kept_is_passed_through(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(FRAME, OCTETS, fields=[("Cache-Control", "no-store")])
        assert (reply.status, reply.get("cache-status")) == (200, BYPASS)
        assert (await edge.ask(FRAME, OCTETS)).get("cache-status") == MISS


@pytest.mark.parametrize("asked", [("Cache-Control", "no-cache"), ("Pragma", "no-cache")])
async def test_a_client_that_wants_it_anew_gets_it_anew_for_everybody(
    tmp_path: Path, asked: tuple[str, str]
) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        for path, accept in ((FRAME, OCTETS), (f"{pacs.series}/metadata", JSON)):
            first = await edge.ask(path, accept)
            await edge.kept()
            before = len(pacs.seen)
            anew = await edge.ask(path, accept, fields=[asked])
            await edge.kept()
            again = await edge.ask(path, accept)

            assert anew.get("cache-status") == "edgerouter; fwd=request; stored"
            assert again.get("cache-status") == HIT
            assert first.body == anew.body == again.body
            assert len(pacs.seen) == before + 1
            assert pacs.seen[-1].get("cache-control") == "no-cache"


async def test_some_but_not_all_is_passed_on_and_asked_for_again(tmp_path: Path) -> None:
    """206 without Content-Range: dcm4chee's "some are not here" (conformance case 15)."""
    pacs = Pacs()
    some = multipart(([("Content-Type", "application/dicom")], pacs.files[0]))
    fields = [related("application/dicom"), ("Warning", "299 pacs.internal: two objects are gone")]
    pacs.say[pacs.series] = lambda seen: [Scripted(206, some, fields)]
    async with keeping(pacs, folder=tmp_path) as edge:
        for _ in range(2):
            reply = await edge.ask(pacs.series, DICOM)
            await edge.kept()

            assert (reply.status, len(reply.parts), reply.get("cache-status")) == (206, 1, PASSED)
            assert reply.get("warning") == f"299 {PUBLIC}: two objects are gone"
        assert len(pacs.seen) == 2


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("{series}?imageSetId=17", DICOM),
        ("{instance}/frames/1?x=y", OCTETS),
        ("{series}/metadata?includefield=all", JSON),
        ("{series}/bulkdata", OCTETS),
        ("{instance}/bulkdata?x=y", OCTETS),
        (
            "/wado?requestType=WADO&studyUID=1.2&seriesUID=1.2.3&objectUID=1.2.3.1&anonymize=yes"
            "&contentType=application/dicom",
            "*/*",
        ),
    ],
)
async def test_what_units_cannot_answer_is_relayed(tmp_path: Path, path: str, accept: str) -> None:
    pacs = Pacs()
    path = path.format(series=pacs.series, instance=pacs.instance(1))
    async with keeping(pacs, folder=tmp_path) as edge:
        for asked in (1, 2):
            reply = await edge.ask(path, accept)
            assert reply.get("cache-status") == BYPASS
            assert len(pacs.seen) == asked


async def test_the_spelling_of_what_is_accepted_is_no_query(tmp_path: Path) -> None:
    pacs = Pacs()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(f"{pacs.series}/metadata", JSON)
        await edge.kept()
        reply = await edge.ask(f"{pacs.series}/metadata?accept=application/dicom%2Bjson", XML)
        assert reply.get("cache-status") == HIT


async def test_a_lone_body_that_nothing_proves_whole_is_passed_on_unproven(tmp_path: Path) -> None:
    pacs = Pacs()
    lone = Scripted(
        body=pacs.frame(1, 1), fields=[("Content-Type", "application/octet-stream")], framing="close"
    )
    pacs.say[FRAME] = lambda seen: [lone, Close()]
    async with keeping(pacs, folder=tmp_path) as edge:
        for accept in (OCTETS, "application/octet-stream"):
            reply = await edge.ask(FRAME, accept)
            await edge.kept()

            assert (reply.body, reply.raw.framing) == (pacs.frame(1, 1), "close")
            assert reply.get("cache-status") == PASSED
        assert len(pacs.seen) == 2


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_part_in_a_coding_of_its_own_is_passed_on_as_it_is(tmp_path: Path, coding: str) -> None:
    pacs = Pacs()
    fields = [("Content-Type", "application/dicom"), ("Content-Encoding", coding)]
    pacs.say[pacs.instance(1)] = lambda seen: pacs.parts(pacs.instance(1), [(fields, b"coded")])
    async with keeping(pacs, folder=tmp_path) as edge:
        for asked in (1, 2):
            [part] = (await edge.ask(pacs.instance(1), DICOM)).parts
            await edge.kept()
            assert (part.body, part.fields["content-encoding"]) == (b"coded", coding)
            assert len(pacs.seen) == asked


@pytest.mark.parametrize(
    "wrong",
    [
        {"study": "9.9"},
        {"series": "9.9"},
        {"number": 7},
    ],
)
async def test_an_instance_that_was_not_asked_for_is_passed_on_and_never_kept(
    tmp_path: Path, wrong: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """F14: an archive that sends something else must not poison what others get."""
    pacs = Pacs()
    strange = file(b"other", **({"number": 1} | wrong))  # type: ignore[arg-type]
    part = ([("Content-Type", "application/dicom")], strange)
    pacs.say[pacs.instance(1)] = lambda seen: pacs.parts(pacs.instance(1), [part])
    async with keeping(pacs, folder=tmp_path) as edge:
        for asked in (1, 2):
            [given] = (await edge.ask(pacs.instance(1), DICOM)).parts
            await edge.kept()
            assert given.body == strange
            assert len(pacs.seen) == asked
        assert edge.cache is not None
        assert (await edge.cache.stats()).units == 0
    assert "sent an instance that was not asked for" in caplog.text
    assert STUDY not in caplog.text
    assert SERIES not in caplog.text


async def test_a_list_with_a_stranger_in_it_proves_nothing(tmp_path: Path) -> None:
    pacs = Pacs(slices=2, listed=False)
    label = [("Content-Type", "application/dicom")]
    strangers = [file(b"other", 9, series="8.8"), b"no DICOM at all", b""]
    parts = [(label, body) for body in [*pacs.files, *strangers]]
    pacs.say[pacs.series] = lambda seen: pacs.parts(pacs.series, parts)
    async with keeping(pacs, folder=tmp_path) as edge:
        for asked in (1, 2):
            reply = await edge.ask(pacs.series, DICOM)
            await edge.kept()
            assert [part.body for part in reply.parts] == [*pacs.files, *strangers]
            assert pacs.asked.count(pacs.series) == asked
        held = await edge.ask(pacs.instance(2), DICOM)
        assert (held.parts[0].body, held.get("cache-status")) == (pacs.files[1], HIT)


async def test_a_frame_that_may_be_in_any_syntax_and_does_not_say_which_is_not_kept(tmp_path: Path) -> None:
    pacs = Pacs(form="application/octet-stream")
    async with keeping(pacs, folder=tmp_path) as edge:
        for asked in (1, 2):
            [part] = (await edge.ask(FRAME, OCTETS + AS_STORED)).parts
            await edge.kept()
            assert (part.body, part.fields["content-type"]) == (pacs.frame(1, 1), "application/octet-stream")
            assert len(pacs.seen) == asked
        named = await edge.ask(FRAME, OCTETS)  # no syntax asked for: it can only be the default
        await edge.kept()
        assert named.parts[0].fields["content-type"].endswith("; transfer-syntax=1.2.840.10008.1.2.1")
        assert (await edge.ask(FRAME, OCTETS)).get("cache-status") == HIT


async def test_a_frame_is_kept_as_what_it_says_it_is(tmp_path: Path) -> None:
    pacs = Pacs(form=COMPRESSED)
    async with keeping(pacs, folder=tmp_path) as edge:
        for asked in (1, 2):
            [part] = (await edge.ask(FRAME, OCTETS)).parts  # an archive that cannot decode
            await edge.kept()
            assert part.fields["content-type"] == COMPRESSED
            assert len(pacs.seen) == asked
        assert (await edge.ask(FRAME, OCTETS + AS_STORED)).get("cache-status") == HIT


async def test_only_upstreams_of_the_route_are_looked_up(tmp_path: Path) -> None:
    """Law 8: what is held of an archive that the rules do not allow is not there."""
    rules = [
        {"name": "guests", "match": {"header": {"X-Guest": "yes"}}, "route": {"upstreams": ["south"]}},
        {
            "name": "all",
            "match": {"transaction": "retrieve"},
            "route": {"upstreams": ["north", "south"], "promote": "no"},
        },
    ]
    north, south = Pacs(), Pacs(slices=0)
    guest = [("X-Guest", "yes")]
    async with keeping(north, south, folder=tmp_path, rules=rules) as edge:
        for path, accept in ((FRAME, OCTETS), (north.series, DICOM), (f"{north.series}/metadata", JSON)):
            assert (await edge.ask(path, accept)).status == 200
            await edge.kept()
            assert (await edge.ask(path, accept)).get("cache-status") == HIT
            before = len(north.seen)
            assert (await edge.ask(path, accept, fields=guest)).status == 404
            assert len(north.seen) == before
            assert (await edge.ask(path, accept)).get("cache-status") == HIT
