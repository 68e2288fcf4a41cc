"""What was retrieved once is answered without the archive: the same bytes, under validators and ranges."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS, Edge, edge_over
from tests.scenarios.pacs import Pacs
from tests.support.scripted import ScriptedUpstream

HIT = "edgerouter; hit"
MISS = "edgerouter; fwd=miss; stored"
AS_STORED = "; transfer-syntax=*"


@asynccontextmanager
async def keeping(pacs: Pacs, folder: Path, **settings: Any) -> AsyncIterator[Edge]:
    """A router with a cache over one archive."""
    async with ScriptedUpstream(pacs) as upstream, edge_over(upstream, cache=folder, **settings) as edge:
        yield edge


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


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


@pytest.mark.parametrize("name", RESOURCES)
async def test_the_second_answer_is_the_first_and_the_archive_hears_of_one(folder: Path, name: str) -> None:
    pacs = Pacs()
    path, accept = RESOURCES[name]
    path = path.format(study=pacs.study, series=pacs.series, instance=pacs.instance(2))
    async with keeping(pacs, folder) as edge:
        cold = await edge.ask(path, accept)
        await edge.kept()
        asked = len(pacs.seen)
        warm = await edge.ask(path, accept)

        assert (cold.status, warm.status) == (200, 200)
        assert cold.get("content-type") == warm.get("content-type")
        assert cold.body == warm.body
        assert (cold.get("cache-status"), warm.get("cache-status")) == (MISS, HIT)
        assert len(pacs.seen) == asked
