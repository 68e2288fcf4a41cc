"""Retrieves, addresses and pauses of archive products, through the whole router."""

from pathlib import Path

import pytest

from tests.products.aws import Aws
from tests.products.azure import Azure
from tests.products.plain import MedicalConnections
from tests.products.product import study
from tests.scenarios.edge import JSON, OCTETS, edge_over
from tests.scenarios.test_products import STUDIES, over, uids
from tests.support.hospital import Hospital, studies
from tests.support.scripted import Reply, ScriptedUpstream, Seen, Step

FRAME = "/studies/1.1/series/1.1.1/instances/1.1.1.1/frames/1"


@pytest.mark.parametrize(
    "accept",
    [
        f"{OCTETS}; transfer-syntax=*",
        "multipart/related; type=application/octet-stream; transfer-syntax=*",
        'multipart/related; type="application/octet-stream"; transfer-syntax="*"',
        "application/octet-stream; transfer-syntax=*",
        "multipart/related;type=image/jls, multipart/related;type=application/octet-stream;transfer-syntax=*",
        '*/*, multipart/related; type="image/jp2"; q=0.5',
    ],
)
async def test_azure_reads_every_accept_of_every_viewer(accept: str) -> None:
    product = Azure(STUDIES)
    async with over(product, "azure") as edge:
        reply = await edge.ask(FRAME, accept)

    assert (reply.status, product.refused) == (200, [])
    assert b"pixels" in reply.body


async def test_azure_s_metadata_is_json_whatever_else_is_accepted() -> None:
    product = Azure(STUDIES)
    accept = "application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*"
    async with over(product, "azure") as edge:
        reply = await edge.ask("/studies/1.1/metadata", accept)

    assert (reply.status, product.refused, len(reply.json)) == (200, [], 1)


@pytest.mark.parametrize(
    "accept",
    [
        f"{OCTETS}; transfer-syntax=*",
        "multipart/related; type=image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202, multipart/related; "
        "type=application/octet-stream; transfer-syntax=*",
    ],
)
async def test_aws_gives_frames_as_they_are_stored(accept: str) -> None:
    product = Aws(STUDIES)
    async with over(product, "aws") as edge:
        reply = await edge.ask(f"{FRAME},2", accept)

    assert (product.refused, [part.body for part in reply.parts]) == ([], [b"frame 1", b"frame 2"])
    assert "image/jphc" in reply.parts[0].fields["content-type"]


async def test_aws_is_never_asked_for_a_frame_twice_by_the_cache(tmp_path: Path) -> None:
    product = Aws(STUDIES)
    async with (
        ScriptedUpstream(product) as upstream,
        edge_over(upstream, settings={"profile": "aws"}, cache=tmp_path / "cache") as edge,
    ):
        reply = await edge.ask(f"{FRAME},2,1", f"{OCTETS}; transfer-syntax=*")

    assert (product.refused, [part.body for part in reply.parts]) == (
        [],
        [b"frame 1", b"frame 2", b"frame 1"],
    )


async def test_each_service_of_medical_connections_has_its_own_address() -> None:
    product = MedicalConnections(STUDIES)
    async with ScriptedUpstream(product) as upstream:
        settings = {
            "url": None,
            "wado_uri_url": None,
            "search_url": f"{upstream.url}/qido",
            "retrieve_url": f"{upstream.url}/wado-rs",
            "store_url": f"{upstream.url}/stow",
            "profile": "medical-connections",
        }
        async with edge_over(upstream, settings=settings) as edge:
            found = await edge.ask("/studies?PatientID=7", JSON)
            shown = await edge.ask("/studies/1.1/series/1.1.1/instances/1.1.1.1/rendered", "image/jpeg")

    assert (uids(found), shown.body) == ({"1.1", "1.4"}, b"picture")
    assert product.refused == []


async def test_an_archive_that_asks_for_a_pause_gets_it_and_is_asked_again() -> None:
    class Busy(Aws):
        def __call__(self, request: Seen) -> list[Step]:
            if not self.asked:
                self.asked.append(request)
                return [Reply(429, fields=[("Retry-After", "0")])]
            return list(super().__call__(request))

    product = Busy(STUDIES)
    async with over(product, "aws") as edge:
        reply = await edge.ask("/studies?PatientID=7", JSON)

    assert (reply.status, uids(reply), len(product.asked)) == (200, {"1.1", "1.4"}, 2)


@pytest.mark.parametrize("status", [429, 503])
async def test_one_that_asks_for_too_long_a_pause_is_named_and_the_pause_passed_on(status: int) -> None:
    busy = Hospital("north", trouble=[Reply(status, fields=[("Retry-After", "120")])])
    async with (
        ScriptedUpstream(busy) as north,
        ScriptedUpstream(Hospital("south", studies("1.2"))) as south,
        edge_over(north, south, settings={"profile": "google"}) as edge,
    ):
        both = await edge.ask("/studies", JSON)
    async with ScriptedUpstream(busy) as north, edge_over(north, settings={"profile": "google"}) as edge:
        alone = await edge.ask("/studies", JSON)

    assert uids(both) == {"1.2"}
    assert "Source north did not answer (overloaded)" in both.raw.all("warning")[0]
    assert (alone.status, alone.get("retry-after")) == (503, "120")


async def test_a_walk_down_a_hierarchical_archive_has_an_end_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgerouter.transactions.share.MAX_COLLECTIONS", 8)
    product = Aws([study(f"1.{number}") for number in range(20)])
    async with over(product, "aws") as edge:
        reply = await edge.ask("/series", JSON)

    assert (len(reply.json), len(product.targets("/series"))) == (8, 8)
    assert "has more matches than were taken" in reply.raw.all("warning")[0]


async def test_a_study_that_cannot_be_read_on_the_way_down_is_no_silence() -> None:
    class Broken(Aws):
        def check_path(self, parts: list[str]) -> None:
            if parts[1:2] == ["1.2"]:
                raise AssertionError

        def __call__(self, request: Seen) -> list[Step]:
            if "/studies/1.2/series" in request.target:
                return [Reply(500)]
            return list(super().__call__(request))

    async with over(Broken(STUDIES), "aws") as edge:
        reply = await edge.ask("/series", JSON)

    assert reply.status == 200
    assert "Source north did not answer (error)" in reply.raw.all("warning")[0]


async def test_a_study_that_is_gone_when_its_series_are_asked_for_is_left_out() -> None:
    class Losing(Aws):
        def __call__(self, request: Seen) -> list[Step]:
            if "/studies/1.2/series" in request.target:
                return [Reply(404)]
            return list(super().__call__(request))

    async with over(Losing(STUDIES), "aws") as edge:
        reply = await edge.ask("/series", JSON)

    assert uids(reply, "0020000E") == {"1.1.1", "1.1.2", "1.3.1", "1.4.1"}
    assert reply.raw.all("warning") == []


async def test_a_walk_ends_when_enough_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerouter.transactions.share.MAX_ROWS", 10)
    product = Aws([study(f"1.{number}") for number in range(30)])
    async with over(product, "aws") as edge:
        reply = await edge.ask("/series", JSON)

    assert len(product.targets("/series")) <= 10
    assert "has more matches than were taken" in reply.raw.all("warning")[0]


async def test_what_lies_beyond_the_most_results_is_told() -> None:
    product = Aws([study(f"1.{number}") for number in range(30)])
    quirks = {"most_results": "20", "page_limit": "10"}
    async with over(product, "aws", quirks=quirks) as edge:
        reply = await edge.ask("/studies", JSON)

    assert len(reply.json) == 20
    assert "has more matches than were taken" in reply.raw.all("warning")[0]
