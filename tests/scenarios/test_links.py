"""Every self-reference an archive emits names the router when it leaves (law 1); all else stays."""

import gzip

import pytest

from tests.scenarios.edge import (
    DICOM,
    JSON,
    OCTETS,
    PUBLIC,
    ROOT,
    XML,
    answering,
    edge_over,
    multipart,
    related,
)
from tests.support.scripted import Reply, ScriptedUpstream, Seen, Step

PACS = "http://pacs.internal:8042/dw"  # an alias
INSTANCE = "/studies/1.2/series/3.4/instances/5.6"
FOREIGN = [
    "http://evil.example/dw/studies/1",
    "http://pacs.internal:8042/dwx/studies/1",
    "http://pacs.internal:8042@evil.example/dw/studies/1",
    "http://pacs.internal.evil.example:8042/dw/studies/1",
    "http://169.254.169.254/latest/meta-data",
    "https://bucket.example/object?X-Signature=abc%2Fdef",
    "file:///etc/passwd",
]


def json_reply(body: bytes) -> Reply:
    return Reply(body=body, fields=[("Content-Type", JSON)])


def metadata(url: str) -> bytes:
    """Metadata with the same link at three depths, odd numbers, escapes and white space."""
    link = f'{{"vr":"OW","BulkDataURI":"{url}"}}'.encode()
    return (
        b'[ {"00281052":{"vr":"DS","Value":[1.0E2,-0.0,12345678901234567890]},\n"7FE00010":'
        + link
        + b',"00400260":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["\\u00fc\\/"]},"00091010":'
        + link
        + b',"0040A730":{"vr":"SQ","Value":[{},null,{"00091010":'
        + link
        + b"}]}}]}}\t]\n"
    )


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("base", [PACS, "{own}"])
async def test_bulkdata_in_json_at_any_depth_names_the_router(base: str, coded: bool) -> None:
    def answer(request: Seen) -> list[Step]:
        body = metadata(f"{base.format(own=own)}{INSTANCE}/bulk/7fe00010")
        fields = [("Content-Type", f"{JSON}; charset=utf-8")]
        if not coded:
            return [Reply(body=body, fields=fields, framing="chunked")]
        return [Reply(body=gzip.compress(body), fields=[*fields, ("Content-Encoding", "gzip")])]

    async with ScriptedUpstream(answer) as upstream, edge_over(upstream) as edge:
        own = f"{upstream.url}/dw"
        for wanted in ("identity", "gzip"):
            reply = await edge.ask(f"{INSTANCE}/metadata", JSON, fields=[("Accept-Encoding", wanted)])

            assert reply.body == metadata(f"{PUBLIC}{INSTANCE}/bulk/7fe00010")
            assert reply.get("content-type") == JSON
            assert (reply.get("content-encoding") == "gzip") is (wanted == "gzip")


async def test_a_link_works() -> None:
    def answer(request: Seen) -> list[Step]:
        if request.target.endswith("/metadata"):
            return [json_reply(metadata(f"{PACS}{INSTANCE}/bulk/7fe00010"))]
        return [Reply(body=b"pixels", fields=[("Content-Type", "application/octet-stream")])]

    async with ScriptedUpstream(answer) as upstream, edge_over(upstream) as edge:
        rows = (await edge.ask(f"{INSTANCE}/metadata", JSON)).json
        link = rows[0]["7FE00010"]["BulkDataURI"]
        reply = await edge.ask(link.removeprefix(PUBLIC))

        assert reply.body == b"pixels"
        assert upstream.requests[1].target == f"/dw{INSTANCE}/bulk/7fe00010"


@pytest.mark.parametrize("query", ["", "?offset=12&length=34"])
async def test_a_link_outside_the_study_tree_is_a_token_that_works(query: str) -> None:
    def answer(request: Seen) -> list[Step]:
        if request.target.endswith("/metadata"):
            return [json_reply(metadata(f"{PACS}/blobs/a%20b{query}"))]
        return [Reply(body=b"pixels", fields=[("Content-Type", "application/octet-stream")])]

    async with (
        ScriptedUpstream(answer) as north,
        answering(Reply(body=b"wrong")) as south,
        edge_over(north, south) as edge,
    ):
        rows = (await edge.ask(f"{INSTANCE}/metadata", JSON)).json
        link = rows[0]["7FE00010"]["BulkDataURI"]
        assert link.startswith(f"{PUBLIC}/bulkdata/")
        reply = await edge.ask(link.removeprefix(PUBLIC))

        assert reply.body == b"pixels"
        assert north.requests[-1].target == f"/dw/blobs/a%20b{query}"
        before = len(north.requests)
        forged = await edge.ask(link.removeprefix(PUBLIC)[:-1] + "A")
        forged.problem(404)
        assert len(north.requests) == before
        assert not [
            seen for seen in south.requests if "studies?" not in seen.target and "series?" not in seen.target
        ]


async def test_a_token_of_the_second_upstream_is_its_own() -> None:
    """Tokens are opened by the upstream that they name, wherever it stands in the route."""

    def answer(request: Seen) -> list[Step]:
        if request.target.endswith("/metadata"):
            return [json_reply(metadata(f"{PACS}/blobs/1"))]
        return [Reply(body=b"pixels", fields=[("Content-Type", "application/octet-stream")])]

    rules = [
        {
            "name": "south-first",
            "match": {"resource": "metadata"},
            "route": {"upstreams": ["south"]},
        }
    ]
    async with (
        answering(Reply(body=b"wrong")) as north,
        ScriptedUpstream(answer) as south,
        edge_over(north, south, rules=rules) as edge,
    ):
        rows = (await edge.ask(f"{INSTANCE}/metadata", JSON)).json
        reply = await edge.ask(rows[0]["7FE00010"]["BulkDataURI"].removeprefix(PUBLIC))

        assert reply.body == b"pixels"
        assert len(north.requests) == 0


@pytest.mark.parametrize("url", FOREIGN)
async def test_a_foreign_link_is_left_alone_and_never_asked(url: str) -> None:
    async with answering(json_reply(metadata(url))) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(f"{INSTANCE}/metadata", JSON)

        assert reply.body == metadata(url)
        assert len(upstream.requests) == 1


DATASET = """<?xml version="1.0" encoding="UTF-8"?>
<!-- {0}/studies/9 --><NativeDicomModel xml:space="preserve">
<DicomAttribute tag="00091010" vr="OB"><BulkData uri="{0}{1}/bulk/1"/></DicomAttribute>
<DicomAttribute tag="00081199" vr="SQ"><Item number="1">
<DicomAttribute tag='00091010' vr='OB'><BulkData URI='{0}{1}/bulk/2' /></DicomAttribute>
<DicomAttribute tag="00081190" vr="UR"><Value number="1">{0}/studies/of-a-dataset</Value></DicomAttribute>
</Item></DicomAttribute></NativeDicomModel>"""


async def test_bulkdata_in_xml_at_any_depth_names_the_router() -> None:
    location = ("Content-Location", f"{PACS}{INSTANCE}")
    parts = [([("Content-Type", "application/dicom+xml"), location], DATASET.format(PACS, INSTANCE).encode())]
    reply = Reply(body=multipart(*parts), fields=[related("application/dicom+xml")])
    async with answering(reply) as upstream, edge_over(upstream) as edge:
        for wanted in ("identity", "gzip"):
            got = await edge.ask(f"{INSTANCE}/metadata", XML, fields=[("Accept-Encoding", wanted)])

            [part] = got.parts
            text = part.body.decode()
            assert f'uri="{PUBLIC}{INSTANCE}/bulk/1"' in text
            assert f'URI="{PUBLIC}{INSTANCE}/bulk/2"' in text
            assert f"{PACS}/studies/of-a-dataset" in text  # content of a stored dataset
            assert f"<!-- {PACS}/studies/9 -->" in text
            assert part.fields["content-location"] == f"{PUBLIC}{INSTANCE}"
            assert (got.get("content-encoding") == "gzip") is (wanted == "gzip")


async def test_a_lone_xml_document_is_enveloped() -> None:
    body = DATASET.format(PACS, INSTANCE).encode()
    async with (
        answering(Reply(body=body, fields=[("Content-Type", "application/dicom+xml")])) as upstream,
        edge_over(upstream) as edge,
    ):
        [part] = (await edge.ask(f"{INSTANCE}/metadata", XML)).parts

        assert f'uri="{PUBLIC}{INSTANCE}/bulk/1"' in part.body.decode()
        assert part.fields["content-type"] == "application/dicom+xml"


async def test_metadata_keeps_the_urls_of_stored_datasets() -> None:
    body = b'[{"00081190":{"vr":"UR","Value":["http://pacs.internal:8042/dw/studies/1.2"]}}]'
    async with answering(json_reply(body)) as upstream, edge_over(upstream) as edge:
        assert (await edge.ask("/studies/1.2/metadata", JSON)).body == body


async def test_where_a_part_is_from_names_the_router() -> None:
    frame = f"{PACS}{INSTANCE}/frames/1"
    relative = "2"
    body = multipart(
        ([("Content-Location", frame)], b"1"),
        ([("Content-Location", relative)], b"2"),
        ([("Content-Location", "http://evil.example/3")], b"3"),
        ([], b"4"),
    )
    fields = [related(), ("Content-Location", f"{PACS}{INSTANCE}/frames/1,2,3,4")]
    async with answering(Reply(body=body, fields=fields)) as upstream, edge_over(upstream) as edge:
        reply = await edge.ask(f"{INSTANCE}/frames/1,2,3,4", OCTETS)

        assert [part.fields.get("content-location") for part in reply.parts] == [
            f"{PUBLIC}{INSTANCE}/frames/1",
            f"{PUBLIC}{INSTANCE}/frames/2",
            "http://evil.example/3",
            None,
        ]
        assert reply.get("content-location") == f"{PUBLIC}{INSTANCE}/frames/1,2,3,4"


async def test_nothing_inside_a_dicom_part_is_touched() -> None:
    """Not even what is a link of the archive's own: it may be signed."""
    file = f'DICM{PACS}/studies/1 "BulkDataURI":"{PACS}/studies/2"'.encode()
    body = multipart(([("Content-Type", "application/dicom")], file))
    async with (
        answering(Reply(body=body, fields=[related("application/dicom")])) as upstream,
        edge_over(upstream) as edge,
    ):
        assert [part.body for part in (await edge.ask("/studies/1.2", DICOM)).parts] == [file]


@pytest.mark.parametrize(
    ("server", "fields", "public"),
    [
        ({}, [], PUBLIC),
        ({}, [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https")], PUBLIC),
        ({}, [("Forwarded", "host=evil.example;proto=https")], PUBLIC),
        (
            {"trusted_proxies": ["127.0.0.0/8"]},
            [("X-Forwarded-Host", "edge.test"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Prefix", "/a")],
            f"https://edge.test/a{ROOT}",
        ),
        (
            {"public_url": "https://public.test/pacs"},
            [("X-Forwarded-Host", "evil.example")],
            "https://public.test/pacs",
        ),
    ],
)
async def test_links_name_the_router_as_its_clients_know_it(
    server: dict[str, object], fields: list[tuple[str, str]], public: str
) -> None:
    body = metadata(f"{PACS}{INSTANCE}/bulk/1")
    async with answering(json_reply(body)) as upstream, edge_over(upstream, server=server) as edge:
        reply = await edge.ask(f"{INSTANCE}/metadata", JSON, fields=fields)

        assert reply.body == metadata(f"{public}{INSTANCE}/bulk/1")
        assert not [name for name, _ in upstream.requests[0].fields if "forwarded" in name.lower()]
