"""Search through the router, to one archive: its rows, our links, our spelling of the question."""

import gzip
import json

import pytest
from defusedxml import ElementTree

from tests.scenarios.edge import JSON, PUBLIC, XML, answering, edge_over, multipart, related
from tests.support.scripted import Reply

PACS = "http://pacs.internal:8042/dw"
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def attribute(vr: str, *values: object) -> dict[str, object]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def row(*, url: str | None = None, **uids: str) -> dict[str, object]:
    tags = {"instance": "00080018", "study": "0020000D", "series": "0020000E"}
    found: dict[str, object] = {tags[name]: attribute("UI", uid) for name, uid in uids.items()}
    if url is not None:
        found["00081190"] = attribute("UR", url)
    return dict(sorted(found.items()))


def rows_reply(*rows: object, **fields: str) -> Reply:
    given = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return Reply(body=json.dumps(rows).encode(), fields=[("Content-Type", JSON), *given])


SEARCHES = [
    ("/studies", row(study="1.2"), "/studies/1.2"),
    ("/studies/1.2/series", row(series="3.4"), "/studies/1.2/series/3.4"),
    ("/series", row(study="1.2", series="3.4"), "/studies/1.2/series/3.4"),
    (
        "/studies/1.2/series/3.4/instances",
        row(instance="5.6"),
        "/studies/1.2/series/3.4/instances/5.6",
    ),
    (
        "/studies/1.2/instances",
        row(series="3.4", instance="5.6"),
        "/studies/1.2/series/3.4/instances/5.6",
    ),
    (
        "/instances",
        row(study="1.2", series="3.4", instance="5.6"),
        "/studies/1.2/series/3.4/instances/5.6",
    ),
]


@pytest.mark.parametrize("url", [None, f"{PACS}/anything", "http://elsewhere.example/x"])
@pytest.mark.parametrize(("path", "found", "expected"), SEARCHES)
async def test_a_row_says_where_we_serve_what_it_is_about(
    path: str, found: dict[str, object], expected: str, url: str | None
) -> None:
    given = found if url is None else dict(sorted({**found, "00081190": attribute("UR", url)}.items()))
    async with answering(rows_reply(given)) as upstream, edge_over(upstream) as edge:
        [got] = (await edge.ask(path, JSON)).json

        assert got["00081190"] == attribute("UR", f"{PUBLIC}{expected}")
        assert {tag: value for tag, value in got.items() if tag != "00081190"} == found
        assert list(got) == sorted(got)


@pytest.mark.parametrize(("path", "found", "expected"), SEARCHES)
async def test_a_row_in_xml_does_too(path: str, found: dict[str, object], expected: str) -> None:
    attributes = "".join(
        f'<DicomAttribute tag="{tag}" vr="UI"><Value number="1">{value["Value"][0]}</Value></DicomAttribute>'  # type: ignore[index]
        for tag, value in found.items()
    )
    document = f'<NativeDicomModel xmlns="{NATIVE[1:-1]}">{attributes}</NativeDicomModel>'.encode()
    body = multipart(([("Content-Type", "application/dicom+xml")], document))
    async with (
        answering(Reply(body=body, fields=[related("application/dicom+xml")])) as upstream,
        edge_over(upstream) as edge,
    ):
        [part] = (await edge.ask(path, XML)).parts

        [url] = ElementTree.fromstring(part.body).findall(f"*[@tag='00081190']/{NATIVE}Value")
        assert url.text == f"{PUBLIC}{expected}"


async def test_a_row_that_says_too_little_keeps_its_own_link_mapped() -> None:
    odd = [
        {"00081190": attribute("UR", f"{PACS}/studies/7")},
        {"0020000D": None, "00081190": attribute("UR", f"{PACS}/studies/8")},
        {"0020000D": {"vr": "UI", "Value": ["not a UID"]}},
        {"0020000D": {"vr": "UI", "Value": [7]}},
        {"0020000D": {"vr": "UI", "Value": None}},
        {"0020000D": "1.2"},
    ]
    async with answering(rows_reply(*odd)) as upstream, edge_over(upstream) as edge:
        got = (await edge.ask("/studies", JSON)).json

        assert [entry.get("00081190", {}).get("Value") for entry in got] == [
            [f"{PUBLIC}/studies/7"],
            [f"{PUBLIC}/studies/8"],
            None,
            None,
            None,
            None,
        ]


async def test_everything_else_of_a_row_keeps_its_spelling() -> None:
    spelled = (
        b'{"0020000D":{"vr":"UI","Value":["1.2"]}, "00201208" : {"vr":"IS","Value":[1.0E2,-0,'
        b"1234567890123456789012]},"
        b'"00100010":{"vr":"PN","Value":[{"Alphabetic":"M\\u00fcller^\\/J"},null]}}'
    )
    reply = Reply(body=b"[" + spelled + b"]", fields=[("Content-Type", JSON)])
    async with answering(reply) as upstream, edge_over(upstream) as edge:
        body = (await edge.ask("/studies", JSON)).body

        link = f'"00081190":{{"vr":"UR","Value":["{PUBLIC}/studies/1.2"]}},'.encode()
        assert body.replace(link, b"") == b"[" + spelled + b"]"


async def test_many_rows_come_in_order_while_they_arrive() -> None:
    rows = [row(study=f"1.{number}") for number in range(5000)]
    plain = json.dumps(rows).encode()
    coded = Reply(body=gzip.compress(plain), fields=[("Content-Type", JSON), ("Content-Encoding", "gzip")])
    async with answering(coded) as upstream, edge_over(upstream) as edge:
        got = await edge.ask("/studies", JSON, fields=[("Accept-Encoding", "gzip, br")])

        assert [entry["0020000D"]["Value"][0] for entry in got.json] == [f"1.{n}" for n in range(5000)]
        assert (got.get("content-encoding"), got.get("vary")) == ("gzip", "accept, accept-encoding")


NOTHING = [
    Reply(204),
    Reply(200, b"", [("Content-Type", JSON)]),
    Reply(200, b""),
    Reply(200, b"", [("Content-Type", JSON)], framing="chunked"),
    Reply(200, b"[]", [("Content-Type", JSON)]),
    Reply(200, b" [ ]\n", [("Content-Type", "application/json;charset=UTF-8")]),
]


@pytest.mark.parametrize("reply", NOTHING)
async def test_no_match_is_an_empty_list(reply: Reply) -> None:
    async with answering(reply) as upstream, edge_over(upstream) as edge:
        got = await edge.ask("/studies?PatientID=nobody", JSON)

        assert (got.status, got.body, got.get("content-type")) == (200, b"[]", JSON)


@pytest.mark.parametrize("reply", NOTHING[:2])
async def test_no_match_in_xml_is_no_content(reply: Reply) -> None:
    async with answering(reply) as upstream, edge_over(upstream) as edge:
        got = await edge.ask("/studies?PatientID=nobody", XML)

        assert (got.status, got.body, got.get("content-type")) == (204, b"", None)


async def test_an_empty_answer_that_nothing_proves_whole_is_no_empty_list() -> None:
    closed = Reply(200, b"", [("Content-Type", JSON)], framing="close")
    async with answering(closed) as upstream, edge_over(upstream) as edge:
        assert not (await edge.ask("/studies", JSON)).complete


async def test_warnings_of_the_archive_are_ours() -> None:
    more = 'pacs.internal:8042 "There are 150 additional results that can be requested"'
    reply = rows_reply(row(study="1.2"), Warning=f"299 {more}")
    async with answering(reply) as upstream, edge_over(upstream) as edge:
        got = await edge.ask("/studies?limit=1", JSON)

        expected = f"299 {PUBLIC}: There are 150 additional results that can be requested"
        assert got.get("warning") == expected


ASKED = [
    ("orthanc", "includefield=00081030%2C00080060", "includefield=00081030"),
    ("orthanc", "offset=25", "limit=1000&offset=25"),
    ("orthanc", "StudyInstanceUID=1.2%5C1.3", "StudyInstanceUID=1.2,1.3"),
    ("dcm4chee", "includefield=00081030%2C00080060", "includefield=00081030&includefield=00080060"),
    ("dcm4chee", "limit=100000000", "limit=99999"),
    ("dcm4chee", "ModalitiesInStudy=CT%2CMR", "ModalitiesInStudy=CT,MR"),
    ("standard", "includefield=00081030&includefield=00080060", "includefield=00081030,00080060"),
    ("standard", "PatientName=D%C3%B6e%5E*&accept=application%2Fdicom%2Bjson", "PatientName=D%C3%B6e%5E*"),
    ("standard", "limit=100000000&nonsense=1", "limit=100000000"),
]


@pytest.mark.parametrize(("profile", "query", "expected"), ASKED)
async def test_the_question_is_put_in_the_archives_spelling(profile: str, query: str, expected: str) -> None:
    async with (
        answering(rows_reply()) as upstream,
        edge_over(upstream, settings={"profile": profile}) as edge,
    ):
        assert (await edge.ask(f"/studies?{query}", JSON)).json == []
        assert upstream.requests[0].target == f"/dw/studies?{expected}"


async def test_json_stays_json_for_whoever_says_it_otherwise() -> None:
    async with answering(rows_reply()) as upstream, edge_over(upstream) as edge:
        for accept in (None, "*/*", "application/json", "application/dicom+json;q=0.9, */*;q=0.1"):
            assert (await edge.ask("/studies", accept)).get("content-type") == JSON
        by_query = await edge.ask("/studies?accept=application%2Fdicom%2Bjson", "text/html")
        assert by_query.get("content-type") == JSON
