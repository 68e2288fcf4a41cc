"""What an answer says of the cache is so, and a cache changes nothing of an answer but where it is from."""

from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, edge_over
from tests.scenarios.pacs import HIT, MISS, Pacs, keeping
from tests.support.scripted import ScriptedUpstream


@pytest.mark.parametrize(("path", "accept"), [("", DICOM), ("/frames/1", OCTETS), ("/metadata", JSON)])
async def test_what_is_said_to_be_stored_is_held(tmp_path: Path, path: str, accept: str) -> None:
    pacs = Pacs(size=300_000)
    rest = pacs.hold(f"{pacs.instance(1)}{path}", at=1000)
    async with keeping(pacs, folder=tmp_path) as edge:
        head = await edge.ask(f"{pacs.instance(1)}{path}", accept, method="HEAD")
        rest.open.set()
        await edge.kept()
        assert (head.status, head.raw.body) == (200, b"")
        got = await edge.ask(f"{pacs.instance(1)}{path}", accept)
        assert (head.get("cache-status"), got.get("cache-status")) == (MISS, HIT)
        assert pacs.asked == [f"{pacs.instance(1)}{path}"]


async def test_a_head_of_a_series_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    pacs = Pacs(size=300_000)
    rest = pacs.hold(pacs.series, at=1000)
    async with keeping(pacs, folder=tmp_path) as edge:
        head = await edge.ask(pacs.series, DICOM, method="HEAD")
        rest.open.set()
        await edge.kept()
        assert (head.status, head.get("cache-status")) == (200, "edgerouter; fwd=miss")
        assert [part.body for part in (await edge.ask(pacs.series, DICOM)).parts] == pacs.files


@pytest.mark.parametrize("accept", [None, "*/*"])
async def test_a_value_nobody_wished_a_form_for_has_the_same_with_a_cache_and_without(
    tmp_path: Path, accept: str | None
) -> None:
    pacs = Pacs()
    path = f"{pacs.instance(1)}/bulk/7fe00010"
    async with keeping(pacs, folder=tmp_path) as edge:
        kept = await edge.ask(path, accept)
    async with ScriptedUpstream(pacs) as upstream, edge_over(upstream) as edge:
        relayed = await edge.ask(path, accept)
    types = [(reply.get("content-type") or "").partition(";")[0] for reply in (kept, relayed)]
    assert types[0] == types[1]
