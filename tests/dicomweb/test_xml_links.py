from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgerouter.dicomweb.xml_links import BulkDataLinks, metadata_links, retrieve_urls, store_links
from edgerouter.dicomweb.xml_scan import MAX_ATTRIBUTES, MAX_DEPTH, XmlError, past_tag
from tests.dicomweb.test_json_rows import CUTS, pieces

URL = "http://pacs/rs/studies/1"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def moved(url: str) -> str:
    return url.replace("http://pacs/rs", "https://edge/dicomweb")


def model(body: str, prefix: str = "") -> bytes:
    colon = f":{prefix[:-1]}" if prefix else ""
    namespace = f'xmlns{colon}="http://dicom.nema.org/PS3.19/models/NativeDICOM"'
    root = f"{prefix}NativeDicomModel"
    return f'{DECLARATION}<{root} {namespace} xml:space="preserve">{body}</{root}>'.encode()


def rewritten(document: bytes, cuts: list[int]) -> bytes:
    links = BulkDataLinks(moved)
    return b"".join(map(links.feed, pieces(document, cuts))) + links.finish()


METADATA = model(
    "<!-- <BulkData uri='http://pacs/rs/no'/> -->"
    '<DicomAttribute tag="00081140" vr="SQ"><Item number="1">\r\n<DicomAttribute tag="00091001" vr="UN">'
    f'<BulkData uuid="a>b" uri = \'{URL}/bulk?a=1&amp;b="2"\' /></DicomAttribute></Item></DicomAttribute>'
    '<DicomAttribute tag="00081190" vr="UR"><Value number="1">http://pacs/rs/content</Value></DicomAttribute>'
    "<DicomAttribute tag='00102000' vr='LT'><Value number=\"1\"><![CDATA[<BulkData uri='http://pacs/rs/no'/>]]>"
    "&lt;BulkData uri='http://pacs/rs/no'/&gt; é &#233;</Value></DicomAttribute>"
    f'<DicomAttribute tag="7FE00010" vr="OW"><x:BulkData xmlns:x="y" URI="{URL}/pixels"></x:BulkData>'
    '</DicomAttribute><DicomAttribute tag="7FE00011" vr="OW"><BulkData uri="http://else/a&amp;b"/>'
    "<BulkDataX uri='http://pacs/rs/no'/></DicomAttribute>"
)


@given(CUTS)
@example(list(range(2000)))
@example([])
def test_every_bulkdata_uri_is_mapped_and_every_other_byte_kept(cuts: list[int]) -> None:
    expected = METADATA.replace(
        f"'{URL}/bulk?a=1&amp;b=\"2\"'".encode(),
        b'"https://edge/dicomweb/studies/1/bulk?a=1&amp;b=&quot;2&quot;"',
    ).replace(b"http://pacs/rs/studies/1/pixels", b"https://edge/dicomweb/studies/1/pixels")
    assert rewritten(METADATA, cuts) == expected


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF)))
def test_any_link_survives_its_escaping(url: str) -> None:
    element = ElementTree.Element("BulkData", uri="http://old")
    document = ElementTree.tostring(element)
    out = metadata_links(document, lambda _: url)
    assert ElementTree.fromstring(out).get("uri") == url


def test_a_byte_order_mark_shifts_nothing() -> None:
    out = rewritten(b"\xef\xbb\xbf" + METADATA, [])
    assert out == b"\xef\xbb\xbf" + rewritten(METADATA, [])


def test_a_token_is_let_go_as_soon_as_it_is_read() -> None:
    links = BulkDataLinks(moved)
    assert links.feed(b"<a><b/>text <BulkData uri='http://pacs/rs/x'") == b"<a><b/>"
    assert links.feed(b"/>") == b'text <BulkData uri="https://edge/dicomweb/x"/>'
    assert links.feed(b"</a>") + links.finish() == b"</a>"


def test_a_token_without_end_is_refused_before_it_fills_memory() -> None:
    links = BulkDataLinks(moved)
    links.feed(b"<a><!-- ")
    for _ in range(16):
        links.feed(b"x" * 65_536)
    with pytest.raises(XmlError, match="token"):
        links.feed(b"x" * 65_536)


def test_a_long_value_is_no_long_token() -> None:
    links = BulkDataLinks(moved)
    out = links.feed(b"<a>")
    for _ in range(40):
        out += links.feed(b"x" * 65_536)
    assert len(out + links.feed(b"</a>") + links.finish()) == 40 * 65_536 + 7


NESTED = b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH
CROWDED = b"<a " + b" ".join(b'a%d=""' % n for n in range(MAX_ATTRIBUTES)) + b"/>"


def test_nesting_and_attributes_have_an_end() -> None:
    assert metadata_links(NESTED, moved) == NESTED
    assert metadata_links(CROWDED, moved) == CROWDED
    for document in (b"<a>" + NESTED + b"</a>", CROWDED.replace(b"/>", b' x=""/>')):
        with pytest.raises(XmlError, match="deep"):
            metadata_links(document, moved)


BILLION = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
FUNCTIONS: list[Callable[[bytes, Callable[[str], str]], bytes]] = [metadata_links, retrieve_urls, store_links]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        f'<!DOCTYPE a [<!ENTITY l0 "lol">{BILLION}]><a>&l9;</a>',
        '<!DOCTYPE a SYSTEM "http://169.254.169.254/a.dtd"><a/>',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://169.254.169.254/a.dtd"> %p;]><a/>',
        "<!DOCTYPE a><a/>",
        "<a>&x;</a>",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "",
        "<a b='1' b='2'/>",
    ],
)
def test_a_dtd_or_a_malformed_document_is_refused(
    function: Callable[[bytes, Callable[[str], str]], bytes], document: str
) -> None:
    with pytest.raises(XmlError):
        function(document.encode(), moved)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "iso-8859-1"])
def test_only_what_reads_as_utf_8_is_spliced(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding}"?><a>é</a>'
    with pytest.raises(XmlError):
        metadata_links(document.encode(encoding), moved)
    plain = b'<?xml version="1.0" encoding="iso-8859-1"?><BulkData uri="http://pacs/rs/x"/>'
    assert metadata_links(plain, moved) == plain.replace(b"http://pacs/rs", b"https://edge/dicomweb")


# RetrieveURL in search rows

MODALITY = '<DicomAttribute tag="00080061" vr="CS"><Value number="1">CT</Value></DicomAttribute>'
SEQUENCE = (
    '<DicomAttribute tag="00081199" vr="SQ"><Item number="1"><DicomAttribute tag="00081190" vr="UR">'
    f'<Value number="1">{URL}</Value></DicomAttribute></Item></DicomAttribute>'
)
STUDY = "<DicomAttribute tag='0020000d' vr='UI'/>"


def own(url: str, prefix: str = "") -> str:
    return (
        f'<{prefix}DicomAttribute tag="00081190" vr="UR" keyword="RetrieveURL">'
        f'<{prefix}Value number="1">{url}</{prefix}Value></{prefix}DicomAttribute>'
    )


OLD = f"<DicomAttribute vr='UR' tag='00081190' ><Value number='1'>\n {URL}&#47;x </Value ></DicomAttribute >"


@pytest.mark.parametrize("old", ["", OLD, '<DicomAttribute tag="00081190" vr="UR"/>'])
@pytest.mark.parametrize("later", [SEQUENCE + STUDY, STUDY, ""])
def test_a_retrieve_url_is_set_once_at_the_top_and_in_order(old: str, later: str) -> None:
    row = model(MODALITY + old + later)
    assert retrieve_urls(row, "https://e/?a&b") == model(MODALITY + own("https://e/?a&amp;b") + later)


def test_a_prefix_is_kept() -> None:
    row = model(STUDY.replace("<", "<dcm:"), prefix="dcm:")
    assert retrieve_urls(row, "u") == model(own("u", "dcm:") + STUDY.replace("<", "<dcm:"), prefix="dcm:")


def test_a_retrieve_url_is_taken_out() -> None:
    assert retrieve_urls(model(MODALITY + OLD + SEQUENCE), None) == model(MODALITY + SEQUENCE)


def test_only_the_rows_own_retrieve_url_is_mapped() -> None:
    new = OLD.replace(f"\n {URL}&#47;x ", "https://edge/dicomweb/studies/1/x")
    assert retrieve_urls(model(OLD + SEQUENCE), moved) == model(new + SEQUENCE)
    for row in (
        model(MODALITY + SEQUENCE),
        model('<DicomAttribute tag="00081190"><Value/></DicomAttribute>'),
    ):
        assert retrieve_urls(row, moved) == row


def test_a_row_with_two_retrieve_urls_or_no_content_is_refused() -> None:
    with pytest.raises(XmlError, match="two"):
        retrieve_urls(model(OLD + OLD), moved)
    with pytest.raises(XmlError, match="empty"):
        retrieve_urls(b"<NativeDicomModel/>", URL)
    assert retrieve_urls(b"<NativeDicomModel/>", moved) == b"<NativeDicomModel/>"


# RetrieveURL in Store answers


def test_a_store_answer_names_us_for_the_study_and_each_stored_instance() -> None:
    failed = SEQUENCE.replace("00081199", "00081198")
    deeper = f'<DicomAttribute tag="00081199" vr="SQ"><Item number="1">{SEQUENCE}</Item></DicomAttribute>'
    answer = model(OLD + failed + SEQUENCE + deeper)
    new = OLD.replace(f"\n {URL}&#47;x ", "https://edge/dicomweb/studies/1/x")
    assert store_links(answer, moved) == model(new + failed + moved(SEQUENCE) + deeper)


def test_an_offset_that_is_no_tag_is_refused() -> None:
    with pytest.raises(XmlError):
        past_tag(b"text", 0)
