import json
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.json_scan import MAX_DEPTH, JsonError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ['"', "\\", '\\"', "[{", "}]", '"BulkDataURI":"', "é\u2028"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=25,
)
ROWS = st.lists(st.dictionaries(TEXT, VALUES, max_size=4), max_size=5)
CUTS = st.lists(st.integers(0, 400), max_size=8)


def pieces(document: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(min(cut, len(document)) for cut in cuts), len(document)]
    return (document[a:b] for a, b in pairwise(edges))


def split(document: bytes, *, cuts: list[int] | None = None, **options: int) -> list[bytes]:
    splitter = ArraySplitter(**options)  # type: ignore[arg-type]
    rows = [row for piece in pieces(document, cuts or []) for row in splitter.feed(piece)]
    splitter.finish()
    return rows


@given(ROWS, CUTS, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_the_rows_are_those_that_json_loads_sees(
    rows: list[object], cuts: list[int], ascii_only: bool, indent: int | str | None
) -> None:
    document = json.dumps(rows, ensure_ascii=ascii_only, indent=indent).encode()
    assert [json.loads(row) for row in split(document, cuts=cuts)] == rows


@given(ROWS, st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3), CUTS)
def test_a_damaged_array_is_refused_or_still_what_json_loads_sees(
    rows: list[object], at: int, new: bytes, gone: int, cuts: list[int]
) -> None:
    document = json.dumps(rows, ensure_ascii=False).encode()
    damaged = document[:at] + new + document[at + gone :]
    try:
        found = split(damaged, cuts=cuts)
    except JsonError:
        return
    assert [json.loads(row) for row in found] == json.loads(damaged)


def test_a_row_keeps_every_byte() -> None:
    row = b'{ "00101030":{"vr":"DS", "Value":[1.0E2,"\\u00e9\\/", 70.50]}\r\n }'
    assert split(b" [\n" + row + b" ,\t{}]\n") == [row, b"{}"]


def test_a_row_leaves_as_soon_as_its_last_byte_is_here() -> None:
    splitter = ArraySplitter()
    assert splitter.feed(b'[{"a":[{"b":1}]') == []
    assert splitter.feed(b"}") == [b'{"a":[{"b":1}]}']


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_strings_are_followed_over_any_cut(size: int) -> None:
    row = rb'{"a":"\\\"}]","b\"":["\\","\u00e9"],"c":{"d":[[["}"]]]}}'
    splitter = ArraySplitter()
    document = b"[" + row + b"," + row + b"]"
    rows = [r for at in range(0, len(document), size) for r in splitter.feed(document[at : at + size])]
    splitter.finish()
    assert rows == [row, row]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"  ",
        b"[",
        b"[{}",
        b"[{},",
        b'[{"a":"',
        b'[{"a":"\\',
    ],
)
def test_an_array_that_breaks_off_is_not_whole(document: bytes) -> None:
    with pytest.raises(JsonError, match="breaks off"):
        split(document)


@pytest.mark.parametrize(
    "document",
    [
        b"\xef\xbb\xbf[]",  # a byte order mark
        b"{}",
        b'"[]"',
        b"null",
        b"[1]",
        b'["a"]',
        b"[[]]",
        b"[{}]]",
        b"[{}] x",
        b"[{}{}]",
        b"[,{}]",
        b"[{},]",
        b"[{},,{}]",
        b"[}",
        b'[{"a":[}]',
        b'[{"a":1]]',
        b'[{"a" 1}]',
        b'[{"a":NaN}]',
        b'[{"a":01}]',
        b"[{'a':1}]",
        b'[{"a":"\n"}]',
        b'[{"a":"\\x"}]',
        b'[{"a":"\xff"}]',
        b'[{"a":"\xed\xa0\x80"}]',  # a surrogate in UTF-8
    ],
)
def test_what_is_not_an_array_of_datasets_is_refused(document: bytes) -> None:
    with pytest.raises(JsonError):
        split(document)


def test_a_lone_object_is_a_row_only_where_that_is_allowed() -> None:
    assert split(b' {"a":1} ', lone=True) == [b'{"a":1}']
    assert split(b"[{},{}]", lone=True) == [b"{}", b"{}"]
    for document in (b"{}{}", b"{},{}", b"{}]"):
        with pytest.raises(JsonError):
            split(document, lone=True)


@pytest.mark.parametrize("brackets", ["[]", "{}"])
@pytest.mark.parametrize("before", ["", '{"b":['])
def test_nesting_ends_at_64(brackets: str, before: str) -> None:
    def nested(depth: int) -> bytes:
        depth -= len(before) // 3
        inner = "[" * depth + "]" * depth if brackets == "[]" else '{"a":' * depth + "1" + "}" * depth
        return f'[{{"a":{before}{inner}{"]}" if before else ""}}}]'.encode()

    assert len(split(nested(MAX_DEPTH - 1))) == 1  # the row itself is one level
    with pytest.raises(JsonError, match="nested"):
        split(nested(MAX_DEPTH))


def test_a_bomb_of_brackets_is_refused_at_once() -> None:
    with pytest.raises(JsonError, match="nested"):
        ArraySplitter().feed(b"[{" + b'"a":[' * 100_000)


def test_an_element_or_a_body_that_is_too_large_is_refused() -> None:
    row = b'{"a":"' + b"x" * 100 + b'"}'
    assert split(b"[" + row + b"," + row + b"]", element_limit=len(row), total_limit=2 * len(row) + 3)
    with pytest.raises(JsonError, match="element"):
        split(b"[" + row + b"]", element_limit=len(row) - 1)
    with pytest.raises(JsonError, match="element"):
        ArraySplitter(element_limit=len(row) - 2).feed(b"[" + row[:-1])
    with pytest.raises(JsonError, match="larger"):
        split(b"[" + row + b"]", total_limit=len(row) + 1)
