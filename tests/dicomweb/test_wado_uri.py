import pytest

from edgerouter.dicomweb.wado_uri import is_instance, read_wado_uri
from edgerouter.errors import BadRequest

MANDATORY = "requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4"


def test_a_request_is_read_and_its_query_kept() -> None:
    raw = (
        "contentType=image%2Fjpeg;q=0.5,%20application/dicom+json&rows=10&windowCenter=1%2E5&objectUID=1.4&&seriesUID=1.3"
        "&studyUID=1.2&requestType=WADO&transferSyntax=*&anonymize=yes"
    )
    request = read_wado_uri(raw)
    assert (request.study, request.series, request.instance) == ("1.2", "1.3", "1.4")
    assert request.content_types == ("image/jpeg;q=0.5", "application/dicom+json")
    assert request.transfer_syntax == "*"
    assert request.anonymize
    assert request.query == raw.replace("&&", "&")


def test_a_plain_request_asks_for_the_default() -> None:
    request = read_wado_uri(MANDATORY)
    assert (request.content_types, request.transfer_syntax, request.anonymize) == ((), None, False)


@pytest.mark.parametrize(
    ("more", "as_it_is"),
    [
        ("&contentType=application/dicom", True),
        ("&contentType=application%2FDICOM&transferSyntax=*", True),
        ("", False),
        ("&contentType=image/jpeg", False),
        ("&contentType=application/dicom,image/jpeg", False),
        ("&contentType=application/dicom&anonymize=yes", False),
        ("&contentType=application/dicom&annotation=patient", False),
        ("&contentType=application/dicom&vendor=1", False),
    ],
)
def test_an_instance_as_it_is_is_asked_for_by_its_name_and_form_alone(more: str, as_it_is: bool) -> None:
    assert is_instance(read_wado_uri(MANDATORY + more)) is as_it_is


def test_the_order_and_encoding_of_parameters_do_not_count_in_a_comparison() -> None:
    one = read_wado_uri(MANDATORY + "&contentType=application%2Fdicom")
    other = read_wado_uri("contentType=application/dicom&" + "&".join(reversed(MANDATORY.split("&"))))
    assert one.parameters == other.parameters
    assert one.query != other.query


@pytest.mark.parametrize(
    "raw",
    [
        "",
        MANDATORY.replace("requestType=WADO&", ""),
        MANDATORY.replace("WADO", "wado"),
        MANDATORY.replace("requestType", "requesttype"),
        MANDATORY.replace("&studyUID=1.2", ""),
        MANDATORY.replace("seriesUID=1.3", "seriesUID="),
        MANDATORY.replace("objectUID=1.4", "objectUID=1.4%2F.."),
        MANDATORY.replace("objectUID=1.4", "objectUID=1..4"),
        MANDATORY + "&studyUID=1.2",
        MANDATORY + "&contentType=application/dicom;transfer-syntax=1.2.840.10008.1.2.1",
        MANDATORY + "&contentType=image/jpeg,text/html;%20Charset=utf-8",
        MANDATORY + "&transferSyntax=",
        MANDATORY + "&transferSyntax=jpeg",
        MANDATORY + "&anonymize=no",
        MANDATORY + "&anonymize=",
        MANDATORY + "&rows=%0a",
        MANDATORY + "&rows=%FF",
    ],
)
def test_what_chapter_9_makes_a_400_is_refused(raw: str) -> None:
    with pytest.raises(BadRequest):
        read_wado_uri(raw)
