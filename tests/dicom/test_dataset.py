import struct
from pathlib import Path

import pydicom
import pytest

from edgerouter.dicom import source
from edgerouter.dicom.dataset import DataSet, Limits, read_data_set
from edgerouter.dicom.elements import MAX_DEPTH, Budget, Element
from edgerouter.dicom.part10 import read_meta
from edgerouter.dicom.source import Inflated, NeedMore, Part10Error
from tests.dicom import build
from tests.dicom.build import READABLE, element, item, number, oracle, sequence


def read(data: bytes, *, explicit: bool = True, limits: Limits | None = None) -> DataSet:
    return read_data_set(source.of_bytes(data), explicit=explicit, limits=limits)


def read_file(path: Path) -> DataSet:
    file = source.of_bytes(path.read_bytes())
    _, syntax = read_meta(file)
    return read_data_set(Inflated(file) if syntax.deflated else file, explicit=syntax.explicit)


def structure(data_set: pydicom.Dataset) -> dict[int, object]:
    return {
        int(one.tag): [structure(inner) for inner in one.value] if one.VR == "SQ" else str(one.VR)
        for one in data_set
    }


def read_structure(data_set: DataSet) -> dict[int, object]:
    return {
        tag: attribute.vr if attribute.items is None else [read_structure(inner) for inner in attribute.items]
        for tag, attribute in data_set.items()
    }


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_every_attribute_of_a_sample_is_found_with_the_vr_pydicom_gives_it(path: Path) -> None:
    expected, found = structure(oracle(path)), read_structure(read_file(path))
    if path.name.startswith("rtdose_rle"):
        expected[0x300C0002] = "UN"  # a sequence written as UN, of defined length: kept as it is
    assert found == expected


@pytest.mark.parametrize("name", ["MR_truncated.dcm", "rtplan_truncated.dcm", "DICOMDIR-nooffset"])
def test_a_cut_sample_is_an_error(name: str) -> None:
    with pytest.raises(Part10Error):
        read_file(build.sample(name))


def test_small_values_are_kept_and_large_ones_are_noted_by_place() -> None:
    data = element(0x00281201, "OW", b"x" * 64) + element(0x00281202, "OW", b"y" * 66)
    data += element(0x30060050, "DS", b"1" * 1024) + element(0x30060051, "DS", b"1" * 1026)
    found = read(data)
    assert found[0x00281201].raw == b"x" * 64
    assert found[0x00281202].raw is None
    ((offset, length),) = found[0x00281202].pieces
    assert data[offset : offset + length] == b"y" * 66
    assert found[0x30060050].raw is not None
    assert found[0x30060051].pieces[0][1] == 1026


def test_the_pixels_are_noted_by_place_however_small() -> None:
    assert read(element(0x7FE00010, "OW", b"ab"))[0x7FE00010].pieces == ((12, 2),)
    icon = read(sequence(0x00880200, item(element(0x7FE00010, "OW", b"ab"))))
    assert icon[0x00880200].items is not None
    assert icon[0x00880200].items[0][0x7FE00010].raw == b"ab"


def test_encapsulated_pixels_are_the_places_of_their_fragments() -> None:
    data = build.fragments(b"abcd", b"ef", table=[0])
    pieces = read(data)[0x7FE00010].pieces
    assert [data[at : at + size] for at, size in pieces] == [b"abcd", b"ef"]


def test_the_pixels_are_handed_to_whoever_wants_them() -> None:
    seen: list[tuple[Element, list[int]]] = []
    data = source.of_bytes(
        number(0x00280010, 1) + element(0x7FE00010, "OW", b"ab") + element(0xFFFAFFFA, "SQ")
    )

    def pixels(found: Element, before: DataSet) -> None:
        seen.append((found, list(before)))
        data.skip(found.length)

    found = read_data_set(data, explicit=True, pixels=pixels)
    assert [(head.tag, before) for head, before in seen] == [(0x7FE00010, [0x00280010])]
    assert list(found) == [0x00280010, 0x7FE00010, 0xFFFAFFFA]


def test_values_asked_for_are_kept_whatever_their_size() -> None:
    data = element(0x7FE00001, "OV", b"x" * 800)
    found = read_data_set(source.of_bytes(data), explicit=True, kept=frozenset({0x7FE00001}))
    assert found[0x7FE00001].raw == b"x" * 800
    assert found[0x7FE00001].pieces


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("explicit", [False, True])
def test_items_are_read_in_every_encoding(undefined: bool, explicit: bool) -> None:
    leaf = element(0x00080100, "SH", "code", explicit=explicit)
    inner = sequence(0x0040A168, item(leaf, undefined=undefined), undefined=undefined, explicit=explicit)
    outer = sequence(
        0x0040A730, item(inner, undefined=undefined), item(), undefined=undefined, explicit=explicit
    )
    items = read(outer, explicit=explicit)[0x0040A730].items
    assert items is not None
    assert items[1] == {}
    concepts = items[0][0x0040A168].items
    assert concepts is not None
    assert concepts[0][0x00080100].raw == b"code"


def test_an_item_in_implicit_vr_within_explicit_vr_is_read() -> None:
    leaf = element(0x00080100, "SH", "code", explicit=False)
    for vr in ("SQ", "UN"):
        items = read(sequence(0x0040A168, item(leaf, undefined=True), undefined=True, vr=vr))[
            0x0040A168
        ].items
        assert items is not None
        assert (items[0][0x00080100].vr, items[0][0x00080100].raw) == ("SH", b"code")


def test_an_unknown_sequence_of_undefined_length_is_one_in_implicit_vr_too() -> None:
    data = sequence(0x00091010, item(undefined=True), undefined=True, explicit=False)
    assert read(data, explicit=False)[0x00091010].items == [{}]


def test_un_is_read_as_what_the_dictionary_knows() -> None:
    assert read(element(0x00100010, "UN", b"Doe^John"))[0x00100010].vr == "PN"
    assert read(element(0x00091010, "UN", b"abcd"))[0x00091010].vr == "UN"


def test_a_private_attribute_has_the_vr_its_creator_gave_it() -> None:
    creator = element(0x00290010, "LO", "SIEMENS CSA HEADER", explicit=False)
    found = read(creator + element(0x00291008, "CS", "IMAGE NUM 4", explicit=False), explicit=False)
    assert (found[0x00290010].vr, found[0x00291008].vr) == ("LO", "CS")


def test_pixel_representation_decides_the_sign_also_within_items() -> None:
    window = sequence(0x00283010, item(number(0x00283002, 1, explicit=False)), explicit=False)
    data = number(0x00280103, 1, explicit=False) + number(0x00280106, 1, explicit=False) + window
    found = read(data, explicit=False)
    assert found[0x00280106].vr == "SS"
    assert found[0x00283010].items is not None
    assert found[0x00283010].items[0][0x00283002].vr == "SS"


def nest(depth: int, *, undefined: bool) -> bytes:
    data = b""
    for _ in range(depth):
        data = sequence(0x0040A730, item(data, undefined=undefined), undefined=undefined)
    return data


@pytest.mark.parametrize("undefined", [False, True])
def test_nesting_is_followed_as_deep_as_the_limit_and_no_deeper(undefined: bool) -> None:
    read(nest(MAX_DEPTH, undefined=undefined))
    for depth in (MAX_DEPTH + 1, 200):
        with pytest.raises(Part10Error, match="deeply"):
            read(nest(depth, undefined=undefined))


def test_elements_and_items_and_bytes_are_budgeted() -> None:
    with pytest.raises(Part10Error, match="too many"):
        read(b"".join(number(0x00090000 + one, 1) for one in range(1, 102)), limits=Limits(Budget(100)))
    with pytest.raises(Part10Error, match="too many"):
        read(sequence(0x0040A730, *[item()] * 101), limits=Limits(Budget(100)))
    texts = b"".join(element(0x00090000 + one, "UT", b"x" * 60_000) for one in range(1, 20))
    with pytest.raises(Part10Error, match="too much"):
        read(texts, limits=Limits(kept=1_000_000))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (element(0x00100010, "PN", b"abc", length=2000), "past the end"),
        (element(0x00081030, "UT", b"abc", length=2**31), "past the end"),
        (element(0x7FE00010, "OW", b"abc", length=2**31), "past the end"),
        (
            sequence(0x0040A730, item(element(0x00080100, "SH", b"x", length=50)) + bytes(60)),
            "longer than the item",
        ),
        (element(0x0040A730, "SQ", item(b"\0" * 8), length=10) + bytes(8), "longer than the"),
        (element(0x0040A730, "SQ", element(0x00080100, "SH", b"x")), "not an item"),
        (sequence(0x0040A730, item(), undefined=True)[:-8], "past the end"),
        (element(0x0040A730, "SQ", element(0xFFFEE0DD, "") + bytes(8)), "longer than the sequence"),
        (element(0x00100010, "PN", b"a") + element(0x00100010, "PN", b"b"), "twice"),
        (sequence(0x0040A730, item()) * 2, "twice"),
    ],
)
def test_lying_lengths_and_double_attributes_are_errors(data: bytes, why: str) -> None:
    with pytest.raises(Part10Error, match=why):
        read(data)


def test_the_same_value_twice_does_no_harm() -> None:
    assert read(element(0x00100010, "PN", b"ab") * 2)[0x00100010].raw == b"ab"


def test_a_name_longer_than_any_may_be_is_an_error() -> None:
    with pytest.raises(Part10Error, match="value representation allows"):
        read(element(0x00100010, "PN", b"x" * 70_000, explicit=False), explicit=False)


def test_padding_behind_the_data_set_is_left() -> None:
    for padding in (b"", b"\0", bytes(100)):
        assert list(read(element(0x7FE00010, "OW", b"ab") + padding)) == [0x7FE00010]


def test_a_data_set_that_is_still_arriving_is_asked_for() -> None:
    with pytest.raises(NeedMore):
        read_data_set(source.of_bytes(struct.pack("<HH", 8, 5), complete=False), explicit=True)
