"""What a row is about, and where we serve it."""

import json
from typing import Any

import pytest

from edgerouter.dicomweb.json_scan import JsonError
from edgerouter.dicomweb.resource import Level, parse
from edgerouter.dicomweb.xml_scan import XmlError
from edgerouter.transactions.row import MAX_DOCUMENT, RowDocument, retrieve_url, row_links, uids
from tests.transactions.canned import PACS, PUBLIC, links

STUDIES, SERIES, INSTANCES = parse("/studies"), parse("/studies/1.2/series"), parse("/instances")


def row(**found: Any) -> bytes:
    tags = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}
    return json.dumps({tags[name]: {"vr": "UI", "Value": value} for name, value in found.items()}).encode()


def test_a_row_names_what_it_is_about() -> None:
    whole = row(study=["1.2"], series=["3.4"], instance=["5.6"])
    assert uids(whole, INSTANCES) == ("1.2", "3.4", "5.6")


def test_what_a_row_leaves_out_stands_in_the_path() -> None:
    assert uids(row(series=["3.4"]), SERIES) == ("1.2", "3.4", None)


@pytest.mark.parametrize("value", [None, [], [""], ["1.x"], [7], [None], ["1." * 40], {"a": 1}, "1.2"])
def test_what_is_no_uid_names_nothing(value: object) -> None:
    assert uids(row(study=value), STUDIES) == (None, None, None)


def test_padding_is_no_part_of_a_uid() -> None:
    assert uids(row(study=["1.2\0"], series=["3.4 "]), STUDIES)[:2] == ("1.2", "3.4")


@pytest.mark.parametrize("text", [b"[1]", b'{"0020000D":1e99999}', b"{"])
def test_what_is_no_row_is_an_error(text: bytes) -> None:
    with pytest.raises(JsonError):
        uids(text, STUDIES)


@pytest.mark.parametrize(
    ("level", "found", "expected"),
    [
        (Level.STUDY, ("1", None, None), "/studies/1"),
        (Level.SERIES, ("1", "2", None), "/studies/1/series/2"),
        (Level.INSTANCE, ("1", "2", "3"), "/studies/1/series/2/instances/3"),
        (Level.STUDY, ("1", "2", "3"), "/studies/1"),
        (Level.SERIES, ("1", None, "3"), None),
        (Level.INSTANCE, (None, "2", "3"), None),
    ],
)
def test_a_retrieve_url_needs_every_uid_of_its_level(
    level: Level, found: tuple[str | None, str | None, str | None], expected: str | None
) -> None:
    assert retrieve_url(level, found, PUBLIC) == (expected and PUBLIC + expected)


def test_a_row_that_is_not_named_keeps_its_own_link_mapped() -> None:
    change = row_links(STUDIES, links())
    given = json.dumps({"00081190": {"vr": "UR", "Value": [f"{PACS}/studies/9"]}}).encode()
    assert change(given) == given.replace(PACS.encode(), PUBLIC.encode())


def document(*attributes: str) -> bytes:
    return f"<NativeDicomModel>{''.join(attributes)}</NativeDicomModel>".encode()


STUDY = '<DicomAttribute tag="0020000D" vr="UI"><Value number="1">1.2</Value></DicomAttribute>'
URL = '<DicomAttribute tag="00081190" vr="UR"><Value number="1">{}</Value></DicomAttribute>'


@pytest.mark.parametrize(
    ("given", "url"),
    [
        (document(STUDY), f"{PUBLIC}/studies/1.2"),
        (document(URL.format("http://x.example/y"), STUDY), f"{PUBLIC}/studies/1.2"),
        (document(URL.format(f"{PACS}/studies/9")), f"{PUBLIC}/studies/9"),
    ],
)
def test_a_row_in_xml_says_where_too(given: bytes, url: str) -> None:
    rewriter = RowDocument(STUDIES, links())
    assert rewriter.feed(given[:30]) + rewriter.feed(given[30:]) == b""
    assert f">{url}</Value>".encode() in rewriter.finish()


def test_a_row_in_xml_is_bounded() -> None:
    rewriter = RowDocument(STUDIES, links())
    rewriter.feed(bytes(MAX_DOCUMENT))
    with pytest.raises(XmlError):
        rewriter.feed(b"x")
