import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.json_scan import JsonError
from edgerouter.dicomweb.store_response import (
    JSON,
    PROCESSING_FAILURE,
    XML,
    StoreOutcome,
    StoreResponse,
    read_store_response,
)
from edgerouter.dicomweb.xml_scan import XmlError

CT = "1.2.840.10008.5.1.4.1.1.2"
STORED = StoreOutcome(CT, "1.2.1", "https://edge/studies/1/series/2/instances/1.2.1")
WARNED = StoreOutcome(CT, "1.2.2", warning=45056)
REFUSED = StoreOutcome(CT, "1.2.3", failure=43264)
UNREADABLE = StoreOutcome("", "", failure=49152)
RESPONSE = StoreResponse((REFUSED, STORED, WARNED, UNREADABLE), "https://edge/studies/1?a&b")

UIDS = st.from_regex(r"[12](\.[0-9]{1,5}){1,3}", fullmatch=True)
CODES = st.integers(0, 0xFFFF)
URLS = st.just("") | st.text(st.sampled_from("abc/:?&<>\"'é"), min_size=1, max_size=9)
FAILURES = st.builds(StoreOutcome, UIDS, UIDS, failure=CODES)
SUCCESSES = st.builds(StoreOutcome, UIDS, UIDS, URLS, st.none() | CODES)
OTHERS = st.builds(StoreOutcome, st.just(""), st.just(""), failure=CODES)


@given(
    st.lists(FAILURES, max_size=3),
    st.lists(SUCCESSES, max_size=3),
    st.lists(OTHERS, max_size=2),
    URLS,
    st.sampled_from([JSON, XML]),
)
def test_what_was_written_is_read_again(
    failed: list[StoreOutcome], stored: list[StoreOutcome], others: list[StoreOutcome], url: str, media: str
) -> None:
    response = StoreResponse((*stored, *failed, *others), url)
    assert read_store_response(response.write(media), media) == response


def test_the_json_module_is_that_of_annex_i() -> None:
    def reference(uid: str) -> dict[str, object]:
        return {"00081150": {"vr": "UI", "Value": [CT]}, "00081155": {"vr": "UI", "Value": [uid]}}

    module = json.loads(RESPONSE.write(JSON))
    assert module == {
        "00081190": {"vr": "UR", "Value": ["https://edge/studies/1?a&b"]},
        "00081198": {
            "vr": "SQ",
            "Value": [{**reference("1.2.3"), "00081197": {"vr": "US", "Value": [43264]}}],
        },
        "00081199": {
            "vr": "SQ",
            "Value": [
                {**reference("1.2.1"), "00081190": {"vr": "UR", "Value": [STORED.retrieve_url]}},
                {**reference("1.2.2"), "00081190": {"vr": "UR"}, "00081196": {"vr": "US", "Value": [45056]}},
            ],
        },
        "0008119A": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [49152]}}]},
    }
    assert list(module) == sorted(module)


def test_a_module_without_failures_has_no_sequence_for_them() -> None:
    assert json.loads(StoreResponse((STORED,)).write(JSON)).keys() == {"00081190", "00081199"}


def test_the_xml_module_is_a_native_dicom_model() -> None:
    body = StoreResponse((REFUSED,), "u?a&b").write(XML)
    assert body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">'
        '<DicomAttribute tag="00081190" vr="UR" keyword="RetrieveURL"><Value number="1">u?a&amp;b</Value>'
        '</DicomAttribute><DicomAttribute tag="00081198" vr="SQ" keyword="FailedSOPSequence">'
        '<Item number="1">'
        '<DicomAttribute tag="00081150" vr="UI" keyword="ReferencedSOPClassUID">'
        f'<Value number="1">{CT}</Value></DicomAttribute>'
        '<DicomAttribute tag="00081155" vr="UI" keyword="ReferencedSOPInstanceUID">'
        '<Value number="1">1.2.3</Value></DicomAttribute>'
        '<DicomAttribute tag="00081197" vr="US" keyword="FailureReason"><Value number="1">43264</Value>'
        "</DicomAttribute></Item></DicomAttribute></NativeDicomModel>"
    )


def test_what_archives_really_write_is_read() -> None:
    body = b"""[ {
      "00081190": {"vr": "UT", "Value": ["http://a/studies/1"]},
      "00081199": {"vr": "SQ", "Value": [
        {"00081155": {"Value": ["1.2.1\\u0000"]}, "00081196": {"vr": "US", "Value": ["45056"]}},
        {"00081150": {"vr": "UI", "Value": ["1.2"]}}, null, 7]},
      "00081198": {"vr": "SQ", "Value": [
        {"00081155": {"vr": "UI", "Value": ["1.2.3"]}, "00081197":
          {"vr": "US", "Value": ["no", true, 1e2, 99999]}},
        {"00081155": {"vr": "UI", "Value": ["1.2.4"]}, "00081197": {"vr": "US"}}]},
      "0008119A": null } ]"""
    assert read_store_response(body, JSON) == StoreResponse(
        (
            StoreOutcome("", "1.2.1", warning=45056),
            StoreOutcome("", "1.2.3", failure=PROCESSING_FAILURE),
            StoreOutcome("", "1.2.4", failure=PROCESSING_FAILURE),
        ),
        "http://a/studies/1",
    )


def test_xml_with_prefixes_white_space_and_more_than_we_read_is_read() -> None:
    body = b"""<?xml version="1.0"?><d:NativeDicomModel xmlns:d="x">
      <d:DicomAttribute tag="00081190" vr="UR"/><d:Item/>
      <d:DicomAttribute tag="00081199" vr="SQ"><d:Item number="1">
        <d:DicomAttribute tag="00081155" vr="UI"><d:Value number="1"> 1.2.<![CDATA[1]]>
        </d:Value></d:DicomAttribute>
        <d:DicomAttribute tag="00100010" vr="PN"><d:PersonName number="1"><d:Alphabetic>
        <d:FamilyName>Doe</d:FamilyName><d:Value>x</d:Value></d:Alphabetic></d:PersonName></d:DicomAttribute>
      </d:Item></d:DicomAttribute></d:NativeDicomModel>"""
    assert read_store_response(body, "application/xml") == StoreResponse((StoreOutcome("", "1.2.1"),))


@pytest.mark.parametrize(
    ("media", "body", "error"),
    [
        (JSON, b"", JsonError),
        (JSON, b"[]", JsonError),
        (JSON, b"[{},{}]", JsonError),
        (JSON, b"<html/>", JsonError),
        (JSON, b'{"a":1', JsonError),
        (JSON, b'{"a":1e999}', JsonError),
        (JSON, b'{"a":' + b"9" * 5000 + b"}", JsonError),
        (XML, b"", XmlError),
        (XML, b"<html/>", XmlError),
        (XML, b"<NativeDicomModel>", XmlError),
        (XML, b"<!DOCTYPE x><NativeDicomModel/>", XmlError),
    ],
)
def test_what_is_no_module_is_refused(media: str, body: bytes, error: type[ValueError]) -> None:
    with pytest.raises(error):
        read_store_response(body, media)


@given(
    st.recursive(
        st.none() | st.integers() | st.text("1.2 "),
        lambda v: (
            st.lists(v)
            | st.dictionaries(
                st.sampled_from(["00081190", "00081199", "00081198", "00081155", "00081197", "Value"]), v
            )
        ),
    )
)
def test_any_json_is_read_or_refused(value: object) -> None:
    try:
        response = read_store_response(json.dumps(value).encode(), JSON)
    except JsonError:
        return
    assert read_store_response(response.write(JSON), JSON) is not None
