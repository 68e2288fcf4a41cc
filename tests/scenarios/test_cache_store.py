"""A Store through the router touches what is held: what was stored anew is fetched anew, and what a rejection
note may speak of is not served from memory."""

import json
from pathlib import Path

from tests.scenarios.edge import DICOM, JSON, OCTETS, Edge
from tests.scenarios.pacs import HIT, SERIES, STUDY, instance, keeping
from tests.scenarios.patients import Registry, name_in, name_of
from tests.scenarios.uploads import FILE, store, upload
from tests.support.scripted import Reply as Scripted

CT = "1.2.840.10008.5.1.4.1.1.2"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"


async def stored(edge: Edge, pacs: Registry, uid: str, sop_class: str = CT) -> None:
    """An upload of one instance that the archive takes."""
    url = f"http://pacs.internal:8042/dw/studies/{STUDY}/series/{SERIES}/instances/{uid}"
    item = {
        "00081150": {"vr": "UI", "Value": [sop_class]},
        "00081155": {"vr": "UI", "Value": [uid]},
        "00081190": {"vr": "UR", "Value": [url]},
    }
    answer = json.dumps({"00081199": {"vr": "SQ", "Value": [item]}}).encode()
    field = ("Content-Type", "application/dicom+json")
    pacs.say["/studies"] = lambda seen: [Scripted(body=answer, fields=[field])]
    assert (await store(edge, upload(FILE))).status == 200


async def test_what_was_stored_anew_is_fetched_anew_with_its_frames(tmp_path: Path) -> None:
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.ask(f"{pacs.series}/metadata", JSON)
        await edge.kept()
        pacs.rename("Doe^Jane")
        await stored(edge, pacs, instance(2))

        anew = await edge.ask(pacs.instance(2), "application/dicom")
        assert name_in(anew.body) == "Doe^Jane"
        assert (await edge.ask(f"{pacs.instance(1)}/frames/1", OCTETS)).parts[0].body == pacs.frame(1, 1)
        assert pacs.asked[2:] == ["/studies", pacs.instance(2)]
        described = await edge.ask(f"{pacs.series}/metadata", JSON)
        assert {name_of(row) for row in described.json} == {"Doe^Jane"}


async def test_a_new_instance_is_in_the_next_answer(tmp_path: Path) -> None:
    pacs = Registry(slices=2, size=10_000)  # worth more than another request
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        pacs.slices = 3
        pacs.rename(pacs.name)
        await stored(edge, pacs, instance(3))

        grown = await edge.ask(pacs.series, DICOM)
        assert [part.body for part in grown.parts] == pacs.files
        assert pacs.asked[2:] == [f"{pacs.series}/instances", pacs.instance(3)]


async def test_after_a_rejection_note_nothing_of_its_study_is_served_from_memory(tmp_path: Path) -> None:
    """IHE RAD, Imaging Object Change Management: the note may hide any instance of its study."""
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        await stored(edge, pacs, "1.2.9.9", KEY_OBJECTS)
        pacs.slices = 2
        pacs.rename(pacs.name)

        assert edge.cache is not None
        assert (await edge.cache.stats()).units == 0
        (await edge.ask(f"{Registry().instance(3)}/frames/1", OCTETS)).problem(404)


async def test_another_study_is_left_alone(tmp_path: Path) -> None:
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        pacs.say["/studies/9.9"] = lambda seen: [Scripted(409)]
        await store(edge, upload(FILE), path="/studies/9.9")

        assert (await edge.ask(pacs.series, DICOM)).get("cache-status") == HIT
