"""What an answer says of the cache is so, and a cache changes nothing of an answer but where it is from."""

from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, OCTETS, edge_over
from tests.scenarios.pacs import HIT, Pacs, keeping
from tests.support.scripted import ScriptedUpstream


@pytest.mark.xfail(strict=True, reason="a HEAD gives its fill up, says stored, and the GET fetches all again")
@pytest.mark.parametrize(("path", "accept"), [("", DICOM), ("/frames/1", OCTETS)])
async def test_what_is_said_to_be_stored_is_held(tmp_path: Path, path: str, accept: str) -> None:
    pacs = Pacs(size=300_000)
    rest = pacs.hold(f"{pacs.instance(1)}{path}", at=1000)
    async with keeping(pacs, folder=tmp_path) as edge:
        head = await edge.ask(f"{pacs.instance(1)}{path}", accept, method="HEAD")
        rest.open.set()
        await edge.kept()
        assert (head.status, head.raw.body) == (200, b"")
        got = await edge.ask(f"{pacs.instance(1)}{path}", accept)
        assert "stored" not in (head.get("cache-status") or "") or got.get("cache-status") == HIT


@pytest.mark.xfail(strict=True, reason="with a cache a bare value, without one the archive's multipart")
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
