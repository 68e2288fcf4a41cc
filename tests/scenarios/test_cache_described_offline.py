"""While its archive does not answer, what is held of it is described, whatever its profile; afterwards its
own word counts again."""

from pathlib import Path

from tests.scenarios.edge import DICOM, JSON, XML
from tests.scenarios.pacs import MISS, Pacs, keeping
from tests.scenarios.pictures import pictured
from tests.scenarios.retrieves import asked, instances, retrieves
from tests.transactions.ask import got

OFFLINE = "edgerouter; hit; detail=offline"


async def test_what_is_held_is_described_while_its_archive_is_away(tmp_path: Path) -> None:
    pacs = pictured(Pacs(slices=2))
    path = f"{pacs.series}/metadata"
    async with keeping(pacs, folder=tmp_path) as edge, retrieves(edge) as cached:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        for accept in (JSON, XML):
            retrieval = asked(cached, path, accept)
            assert await retrieval.held(["north"]) is None
            assert await retrieval.offline(["north"], 0) is None
            reply = await retrieval.offline(["north"], 3600)
            assert reply is not None
            answer = await got(reply)
            assert answer.fields.get("cache-status") == OFFLINE
            assert answer.body.count(b"Doe") == 2
        assert pacs.asked == [pacs.series]

        assert await asked(cached, path, JSON).held(["north"]) is None
        theirs = await edge.ask(path, JSON)
        assert theirs.get("cache-status") == MISS
        assert b"Doe" not in theirs.body


async def test_an_instance_whose_header_is_known_to_be_another_is_not_described(tmp_path: Path) -> None:
    pacs = pictured(Pacs(slices=1))
    async with keeping(pacs, folder=tmp_path) as edge, retrieves(edge) as cached:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        assert edge.cache is not None
        [held] = await instances(edge)
        await edge.cache.catalog.date_headers([held.key], -1.0)
        retrieval = asked(cached, f"{pacs.series}/metadata", JSON)

        assert await retrieval.offline(["north"], 3600) is None


async def test_a_row_of_our_making_is_no_proof_of_the_instance_it_was_made_of(tmp_path: Path) -> None:
    """What is too old is compared with what the archive tells now, and with nothing of ours."""
    pacs = pictured(Pacs(slices=1))
    pacs.say[f"{pacs.instance(1)}/metadata"] = lambda _: pacs.json("", [])
    async with keeping(pacs, folder=tmp_path, settings={"derive_metadata": "yes"}) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        assert (await edge.ask(f"{pacs.series}/metadata", JSON)).status == 200
        assert edge.cache is not None
        [held] = await instances(edge)
        await edge.cache.catalog.date_headers([held.key], 1000.0)
        reply = await edge.ask(pacs.instance(1), DICOM)

        assert reply.status == 200
        assert pacs.asked[1:] == [f"{pacs.instance(1)}/metadata", pacs.instance(1)]
