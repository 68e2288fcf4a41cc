import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgerouter.dicomweb.json_links import BulkDataLinks, retrieve_urls, store_links
from edgerouter.dicomweb.json_scan import JsonError
from tests.dicomweb.test_json_rows import CUTS, TEXT, VALUES, pieces

URL = "http://pacs/rs/studies/1"


def moved(url: str) -> str:
    return url.replace("http://pacs/rs", "https://edge/dicomweb")


def rewritten(document: bytes, cuts: list[int] | None = None) -> bytes:
    links = BulkDataLinks(moved)
    return b"".join(map(links.feed, pieces(document, cuts or []))) + links.finish()


def mapped(value: Any) -> Any:
    """What the rewriter should do, said on decoded values."""
    if isinstance(value, list):
        return [mapped(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: moved(item) if key == "BulkDataURI" and isinstance(item, str) else mapped(item)
        for key, item in value.items()
    }


KEYS = TEXT | st.sampled_from(["BulkDataURI", 'x"BulkDataURI', "BulkDataURI\\", "bulkdatauri"])
LEAVES = VALUES | st.sampled_from([URL, URL + '/"\\é', "BulkDataURI", '"BulkDataURI":"http://pacs/rs"'])
DATASETS = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20)


@given(DATASETS, CUTS, st.booleans(), st.sampled_from([(",", ":"), (" ,\n", "\t: ")]))
@example({"BulkDataURI": URL}, list(range(60)), False, (",", ":"))
@example({'"BulkDataURI': URL, "a\\": URL, "BulkDataURI": None}, [], False, (",", ":"))
def test_every_bulkdata_uri_is_mapped_and_nothing_else(
    dataset: Any, cuts: list[int], ascii_only: bool, separators: tuple[str, str]
) -> None:
    document = json.dumps(dataset, ensure_ascii=ascii_only, separators=separators).encode()
    assert json.loads(rewritten(document, cuts)) == mapped(dataset)


@given(st.lists(st.booleans(), min_size=11, max_size=11), CUTS)
def test_a_key_spelt_with_escapes_is_caught(escaped: list[bool], cuts: list[int]) -> None:
    key = "".join(
        f"\\u{ord(letter):04{'x' if letter == 'l' else 'X'}}" if hide else letter
        for letter, hide in zip("BulkDataURI", escaped, strict=True)
    )
    document = f'[{{"{key}" : "{URL}"}}]'.encode()
    assert rewritten(document, cuts) == document.replace(b"http://pacs/rs", b"https://edge/dicomweb")


def test_every_other_byte_is_unchanged() -> None:
    document = (
        b'[ {"00101030":{"vr":"DS","Value":[1.0E2, 70.50,"\\u00e9\\/"]},\r\n'
        b'"00091002":{"vr":"UN","BulkDataURI" : "http:\\/\\/pacs\\/rs\\/x"},'
        b'"00081190":{"vr":"UR","Value":["http://pacs/rs/studies/9"]},'
        b'"7FE00010":{"vr":"OW","BulkDataURI":"http://elsewhere\\/x?a=\\u0031"}}]'
    )
    expected = document.replace(b"http:\\/\\/pacs\\/rs\\/x", b"https://edge/dicomweb/x")
    assert rewritten(document) == expected


def test_a_link_in_every_item_of_nested_sequences_is_mapped() -> None:
    inner: dict[str, Any] = {"7FE00010": {"vr": "OW", "BulkDataURI": URL}}
    for _ in range(15):
        inner = {"00081140": {"vr": "SQ", "Value": [inner, {}]}, "00091001": {"vr": "UN", "BulkDataURI": URL}}
    out = rewritten(json.dumps([inner]).encode())
    assert out.count(b"https://edge/dicomweb/studies/1") == 16
    assert b"pacs" not in out


def test_a_link_waits_only_for_its_own_end() -> None:
    links = BulkDataLinks(moved)
    assert links.feed(b'{"BulkDataURI":"http://pa') == b'{"BulkDataURI":'
    assert links.feed(b'cs/rs/x"') == b'"https://edge/dicomweb/x"'
    assert links.feed(b"}") + links.finish() == b"}"


@pytest.mark.parametrize(
    "document",
    [
        b'{"BulkDataURI":null,"a":["BulkDataURI","http://pacs/rs"]}',
        b'{"BulkDataURI":["http://pacs/rs"]}',
        b'{"a":"\\"BulkDataURI\\":\\"http://pacs/rs\\""}',
        b'{"BulkDataURI":"","b":1}',
        b'{"a":"BulkDataURI',
        b"",
    ],
)
def test_what_only_looks_like_a_link_passes(document: bytes) -> None:
    assert rewritten(document, list(range(len(document)))) == document


@pytest.mark.parametrize("url", [b"http://pacs/\\x", b"http://pacs/\n\\/", b"\xff", b"x" * 65_536])
def test_a_link_that_is_no_legal_string_or_too_long_is_refused(url: bytes) -> None:
    with pytest.raises(JsonError):
        rewritten(b'{"BulkDataURI":"' + url + b'"}')


def test_a_link_that_never_ends_is_refused_before_it_fills_memory() -> None:
    links = BulkDataLinks(moved)
    links.feed(b'{"BulkDataURI":"')
    for _ in range(15):
        links.feed(b"x" * 4096)
    with pytest.raises(JsonError, match="64 KiB"):
        links.feed(b"x" * 4096)


def test_a_body_cut_within_a_link_is_not_whole() -> None:
    with pytest.raises(JsonError, match="breaks off"):
        rewritten(b'{"BulkDataURI":"http://pacs/rs')


# RetrieveURL in search rows


def attribute(url: str) -> dict[str, Any]:
    return {"vr": "UR", "Value": [url]}


TAGS = st.sampled_from(["00080005", "00080061", "00081140", "0008119A", "0020000D", "00091001"])
ITEMS = st.lists(st.dictionaries(TAGS | st.just("00081190"), VALUES, max_size=2), max_size=2)
ROW = st.dictionaries(TAGS, ITEMS.map(lambda items: {"vr": "SQ", "Value": items}) | VALUES, max_size=5)


@given(ROW, st.booleans(), st.sampled_from([None, 2]))
def test_a_retrieve_url_is_set_once_at_the_top_and_in_order(
    row: dict[str, Any], present: bool, indent: int | None
) -> None:
    given_row = dict(sorted(({**row, "00081190": attribute("http://old")} if present else row).items()))
    out = retrieve_urls(json.dumps(given_row, indent=indent).encode(), "https://new/é")
    expected = dict(sorted({**row, "00081190": attribute("https://new/é")}.items()))
    assert list(json.loads(out).items()) == list(expected.items())


@given(ROW, st.booleans(), st.sampled_from([None, 2]))
def test_a_retrieve_url_is_taken_out(row: dict[str, Any], present: bool, indent: int | None) -> None:
    given_row = dict(sorted(({**row, "00081190": attribute("http://old")} if present else row).items()))
    assert json.loads(retrieve_urls(json.dumps(given_row, indent=indent).encode(), None)) == row


def test_a_row_is_unchanged_but_for_its_own_retrieve_url() -> None:
    row = (
        b'{ "00080061":{"vr":"CS","Value":["CT"]}, "\\u00300081190" : {"Value": ["http://pacs/rs/a", null,\n'
        b'"http://else/b"],"vr":"UR" },"00081199":{"vr":"SQ","Value":[{"00081190":{"vr":"UR","Value":'
        b'["http://pacs/rs/a"]}}]},"00101030":{"vr":"DS","Value":[1.0E2]}}'
    )
    assert retrieve_urls(row, moved) == row.replace(b"http://pacs/rs/a", b"https://edge/dicomweb/a", 1)
    assert retrieve_urls(row, URL).startswith(
        b'{ "00080061":{"vr":"CS","Value":["CT"]}, "\\u00300081190" : {"vr":"UR","Value":["' + URL.encode()
    )
    assert retrieve_urls(row, URL).endswith(row[row.index(b',"00081199"') :])


def test_mapping_adds_no_retrieve_url() -> None:
    for row in (
        b"{}",
        b' {"00080061":{"vr":"CS"}}',
        b'{"00081190":{"vr":"UR"}}',
        b'{"00081190":{"Value":null}}',
    ):
        assert retrieve_urls(row, moved) == row


def test_a_retrieve_url_goes_into_an_empty_row() -> None:
    assert retrieve_urls(b" { }", "u") == b' {"00081190":{"vr":"UR","Value":["u"]} }'


@pytest.mark.parametrize(
    "row",
    [
        b"",
        b"[]",
        b'"a"',
        b"{",
        b"{,}",
        b'{"a"}',
        b'{"a":}',
        b'{"a":[1}',
        b'{"a":1 "b":2}',
        b'{"a":1,}',
        b'{"\\x":1}',
        b'{"a":' + b"[" * 70 + b"]" * 70 + b"}",
        b'{"a":[[[[[[[[[{"b":1}',
        b'{"00081190":{"vr":"UR"},"00081190":{"vr":"UR"}}',
        b'{"00081190":["http://pacs/rs"]}',
        b'{"00081190":{"Value":[,]}}',
    ],
)
def test_a_row_that_is_no_dataset_is_refused(row: bytes) -> None:
    with pytest.raises(JsonError):
        retrieve_urls(row, moved)


def test_deeply_nested_values_are_passed_over() -> None:
    row = (
        b'{"00081140":'
        + b'{"Value":[' * 20
        + b"1"
        + b"]}" * 20
        + b'  ,"00081190":{"Value":["http://pacs/rs"]}}'
    )
    assert retrieve_urls(row, moved) == row.replace(b"http://pacs/rs", b"https://edge/dicomweb")


# RetrieveURL in Store answers

STORED = (
    b'{"00081190":{"vr":"UR","Value":["http://pacs/rs/studies/1"]},"00081198":{"vr":"SQ","Value":[{"00081197":'
    b'{"vr":"US","Value":[43264]},"00081190":{"vr":"UR","Value":["http://pacs/rs/x"]}}]},"00081199": '
    b'{"vr":"SQ","Value":[ {"00081155":{"vr":"UI","Value":["1.2"]},"00081190":{"vr":"UR","Value":["http://pacs/rs/i"]},'
    b'"04000561":{"vr":"SQ","Value":[{"00081190":{"vr":"UR","Value":["http://pacs/rs/x"]}}]}}, {}]}}'
)


def test_a_store_answer_names_us_for_the_study_and_each_stored_instance() -> None:
    expected = STORED.replace(b"http://pacs/rs/studies", b"https://edge/dicomweb/studies")
    expected = expected.replace(b"http://pacs/rs/i", b"https://edge/dicomweb/i")
    assert store_links(STORED, moved) == expected
    assert store_links(b"[" + STORED + b"]\n", moved) == b"[" + expected + b"]\n"


@pytest.mark.parametrize("body", [b"", b"[]", b"[{},{}]", b'"x"', b'{"a":1', b'{"00081199":{"Value":[1]}}'])
def test_a_store_answer_that_is_not_one_dataset_is_refused(body: bytes) -> None:
    with pytest.raises(JsonError):
        store_links(body, moved)
