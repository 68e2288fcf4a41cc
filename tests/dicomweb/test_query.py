import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.attribute import Attribute
from edgerouter.dicomweb.query import Match, SearchQuery, clean, pairs, parameter, parse
from edgerouter.errors import BadRequest


def matches(raw: str) -> list[tuple[str, ...]]:
    return [(".".join(match.attribute.path), *match.values) for match in parse(raw).matches]


def fields(query: SearchQuery) -> list[str]:
    return [field.tag for field in query.includefield]


# What real clients send


def test_the_study_list_of_ohif_is_understood() -> None:
    query = parse(
        "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030"
        "&PatientName=*Doe%5EJ*&00100020=*x*&ModalitiesInStudy=CT%2CMR&StudyDate=19700102-20251122"
        "&StudyInstanceUID=1.2%5C1.3"
    )
    assert [(".".join(match.attribute.path), *match.values) for match in query.matches] == [
        ("00100010", "*Doe^J*"),
        ("00100020", "*x*"),
        ("00080061", "CT", "MR"),
        ("00080020", "19700102-20251122"),
        ("0020000D", "1.2", "1.3"),
    ]
    assert fields(query) == ["00081030", "00080060", "00080090", "00100030"]
    assert (query.limit, query.offset, query.fuzzymatching) == (101, 0, False)
    assert query.emptyvaluematching is None
    assert query.ignored == ()


def test_the_queries_of_weasis_are_understood() -> None:
    query = parse(
        "&includefield=00080020,00080030&includefield=0020000D&includefield=00080030&limit=10&offset=0"
    )
    assert fields(query) == ["00080020", "00080030", "0020000D"]
    assert (query.limit, query.offset, query.matches) == (10, 0, ())


@pytest.mark.parametrize("raw", ["", "&", "&&", "=", "=x"])
def test_no_parameter_asks_for_everything(raw: str) -> None:
    assert parse(raw) == SearchQuery()


@pytest.mark.parametrize("separator", [",", "%2C", "%2c", "\\", "%5C", "%5c", ",%20", ",,"])
def test_a_list_of_uids_is_read_in_every_spelling(separator: str) -> None:
    assert matches(f"StudyInstanceUID=1.2{separator}1.3") == [("0020000D", "1.2", "1.3")]


def test_attributes_are_named_by_keyword_tag_or_path() -> None:
    raw = "0020000d=1.2&RequestAttributesSequence.00400009=a&00091002=b&00400275.RequestedProcedureID="
    assert matches(raw) == [
        ("0020000D", "1.2"),
        ("00400275.00400009", "a"),
        ("00091002", "b"),
        ("00400275.00401001", ""),
    ]
    assert parse(raw).match("00400275", "00401001") == Match(
        Attribute(("00400275", "00401001"), "00400275.RequestedProcedureID"), ("",)
    )
    assert parse(raw).match("00100010") is None


def test_what_means_nothing_here_is_ignored_and_named() -> None:
    query = parse(
        "includeField=a&patientname=b&Limit=x&_=1&a.b=c&.=1&PatientName.=1&includefield=Foo,PatientID&accept=x&charset="
    )
    assert query.ignored == ("includeField", "patientname", "Limit", "_", "a.b", ".", "PatientName.", "Foo")
    assert query.matches == ()
    assert fields(query) == ["00100020"]
    assert parse("Foo=1&Foo=2").ignored == ("Foo",)


def test_includefield_all_leaves_no_other() -> None:
    query = parse("includefield=PatientID&includefield=all%2C00080005")
    assert (query.include_all, query.includefield, query.ignored) == (True, (), ())


def test_a_plus_sign_is_a_space_but_in_times_with_an_offset() -> None:
    assert matches("PatientName=Doe+John%2B") == [("00100010", "Doe John+")]
    assert matches("00080201=+0100&AcquisitionDateTime=20240101120000+0100-") == [
        ("00080201", "+0100"),
        ("0008002A", "20240101120000+0100-"),
    ]


def test_booleans_and_numbers() -> None:
    query = parse("fuzzymatching=TRUE&emptyvaluematching=true&multiplevaluematching=false&limit=0&offset=007")
    assert (query.fuzzymatching, query.emptyvaluematching, query.multiplevaluematching) == (True, True, False)
    assert (query.limit, query.offset) == (0, 7)
    assert query.page(5, None) == parse(
        "fuzzymatching=true&emptyvaluematching=true&multiplevaluematching=false&limit=5"
    )


@pytest.mark.parametrize(
    "value",
    ["20240229", "20240101-", "-20240101", "20240101-20241231", "", "*"],
)
def test_dates_and_their_ranges_are_taken(value: str) -> None:
    assert matches(f"StudyDate={value}") == [("00080020", value)]


@pytest.mark.parametrize("value", ["22", "2230", "223000", "223000.123456", "1000-1800", "-1800", "235960-"])
def test_times_and_their_ranges_are_taken(value: str) -> None:
    assert matches(f"StudyTime={value}") == [("00080030", value)]


@pytest.mark.parametrize(
    "value", ["2024", "202401-", "-20240101", "20240101120000.5-0500-20240102", "2024-0500"]
)
def test_date_times_and_their_ranges_are_taken(value: str) -> None:
    assert matches(f"AcquisitionDateTime={value}") == [("0008002A", value)]


def test_empty_and_multiple_value_matching_widen_what_a_value_may_be() -> None:
    with pytest.raises(BadRequest):
        parse("StudyDate=%22%22")
    assert matches("StudyDate=%22%22&emptyvaluematching=true") == [("00080020", '""')]
    assert matches("PatientName=A%5CB") == [("00100010", "A\\B")]
    assert matches("PatientName=A%5CB&multiplevaluematching=true") == [("00100010", "A", "B")]
    assert matches("StudyDate=20240101%5C20240102-&multiplevaluematching=true") == [
        ("00080020", "20240101", "20240102-")
    ]


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ("limit=-1", "limit"),
        ("limit=", "limit"),
        ("limit", "limit"),
        ("limit=1e3", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=9999999999", "limit"),
        ("offset=x", "offset"),
        ("offset=1&offset=1", "offset"),
        ("fuzzymatching=yes", "fuzzymatching"),
        ("fuzzymatching=", "fuzzymatching"),
        ("emptyvaluematching=1", "emptyvaluematching"),
        ("multiplevaluematching=0", "multiplevaluematching"),
        ("PatientID=1&PatientID=1", "PatientID"),
        ("PatientID=1&00100020=2", "00100020"),
        ("0020000d=1&StudyInstanceUID=1", "StudyInstanceUID"),
        ("StudyInstanceUID=1.2.*", "StudyInstanceUID"),
        ("StudyInstanceUID=1..2", "StudyInstanceUID"),
        ("StudyInstanceUID=,", "StudyInstanceUID"),
        ("StudyInstanceUID=1.2,x", "StudyInstanceUID"),
        ("StudyInstanceUID=" + "1" * 65, "StudyInstanceUID"),
        ("SOPClassUID=CTImageStorage", "SOPClassUID"),
        ("StudyDate=-", "StudyDate"),
        ("StudyDate=2024-01-01", "StudyDate"),
        ("StudyDate=20241301", "StudyDate"),
        ("StudyDate=20240101-20240102-20240103", "StudyDate"),
        ("StudyDate=%D9%A2%D9%A0%D9%A2%D9%A40101", "StudyDate"),
        ("StudyTime=24", "StudyTime"),
        ("StudyTime=10:00", "StudyTime"),
        ("StudyTime=-", "StudyTime"),
        ("AcquisitionDateTime=-", "AcquisitionDateTime"),
        ("PatientName.PatientID=1", "PatientName.PatientID"),
        ("includefield=PatientName.PatientID", "PatientName.PatientID"),
        ("PatientName=%", "percent-encoding"),
        ("PatientName=%4", "percent-encoding"),
        ("Pat%zzientName=a", "percent-encoding"),
        ("PatientName=%FC", "UTF-8"),
        ("%FC=a", "UTF-8"),
        ("PatientName=M\xfcller", "illegal"),
        ("PatientName=a b", "illegal"),
        ("PatientName=a#b", "illegal"),
        ("PatientName=a\nb", "illegal"),
        ("PatientName=a%00", "illegal"),
        ("PatientName=a%0D%0Ab", "illegal"),
        ("PatientName=a%7f", "illegal"),
    ],
)
def test_an_invalid_query_is_refused_by_the_name_of_what_is_wrong(raw: str, named: str) -> None:
    with pytest.raises(BadRequest, match=named) as caught:
        parse(raw)
    assert "ller" not in caught.value.detail


# Parameters of other resources


def test_pairs_are_decoded_once_and_a_plus_sign_stays() -> None:
    assert pairs("a=%252C&b%3D=c+d&&e&=f&a=") == [
        ("a", "%2C"),
        ("b=", "c+d"),
        ("e", ""),
        ("", "f"),
        ("a", ""),
    ]


def test_one_parameter_is_found_by_its_exact_name() -> None:
    raw = "Accept=x&accept=application%2Fdicom+json&b=1&b=2"
    assert parameter(raw, "accept") == "application/dicom+json"
    assert parameter(raw, "c") is None
    with pytest.raises(BadRequest, match="repeated"):
        parameter(raw, "b")


@given(st.text("abc=&%/?;:@!$'()*,+-._~^|\"{}[]", max_size=30))
def test_what_is_passed_on_keeps_every_byte(raw: str) -> None:
    raw = raw.replace("%", "%2c%C3%A4")
    assert clean(raw) == "&".join(piece for piece in raw.split("&") if piece)


def test_the_charset_of_a_value_is_not_our_business() -> None:
    assert clean("a=%E4") == "a=%E4"


def test_a_parameter_can_be_left_out_of_what_is_passed_on() -> None:
    assert clean("viewport=1%2C2&accept=image/jpeg&a%63cept=x&window=1,2,linear", drop=("accept",)) == (
        "viewport=1%2C2&window=1,2,linear"
    )


@pytest.mark.parametrize(
    "raw", ["a=b c", "a=\t", "a=é", "a=#", "a=\x7f", "a=%", "a=%G0", "a=%0a", "a=%1F", "a=%7F", "a\r\n=1"]
)
def test_what_could_not_stand_in_a_request_line_is_never_passed_on(raw: str) -> None:
    for function in (clean, pairs, parse):
        with pytest.raises(BadRequest):
            function(raw)
