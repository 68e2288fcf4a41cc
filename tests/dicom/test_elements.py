import struct

import pytest

from edgerouter.dicom import source
from edgerouter.dicom.elements import (
    MAX_DEPTH,
    UNDEFINED,
    Budget,
    is_explicit,
    read_element,
    read_item,
    skip_value,
)
from edgerouter.dicom.source import Part10Error
from tests.dicom.build import element, item, sequence


def skip(data: bytes, *, explicit: bool = True, budget: int = 1000) -> int:
    reader = source.of_bytes(data + b"rest")
    head = read_element(reader, explicit=explicit)
    skip_value(reader, head, explicit=explicit, budget=Budget(budget))
    return len(data) - reader.position


@pytest.mark.parametrize("vr", ["CS", "UI", "OB", "UT", "SQ", "UN", "OV"])
def test_the_length_has_two_or_four_bytes_as_the_vr_says(vr: str) -> None:
    head = read_element(source.of_bytes(element(0x00091234, vr, b"abcd")), explicit=True)
    assert (head.tag, head.vr, head.length) == (0x00091234, vr, 4)


def test_implicit_vr_leaves_the_vr_open() -> None:
    head = read_element(source.of_bytes(element(0x00100010, "PN", b"abcd", explicit=False)), explicit=False)
    assert head == (0x00100010, "", 4, 8)


def test_a_vr_of_the_future_is_un_with_a_long_length() -> None:
    data = struct.pack("<HH2sHL", 0x0010, 0x0010, b"ZZ", 0, 4) + b"abcd"
    assert read_element(source.of_bytes(data), explicit=True) == (0x00100010, "UN", 4, 12)


def test_garbage_in_place_of_a_vr_is_an_error_at_the_top_and_implicit_vr_inside() -> None:
    data = element(0x00100010, "PN", b"abcd", explicit=False)
    with pytest.raises(Part10Error, match="value representation"):
        read_element(source.of_bytes(data), explicit=True)
    assert read_element(source.of_bytes(data), explicit=True, nested=True) == (0x00100010, "", 4, 8)


def test_the_first_element_shows_whether_the_declared_explicit_vr_is_true() -> None:
    implicit = element(0x00080016, "UI", "1.2", explicit=False)
    assert not is_explicit(source.of_bytes(implicit), declared=True)
    assert is_explicit(source.of_bytes(element(0x00080016, "UI", "1.2")), declared=True)
    assert is_explicit(source.of_bytes(b""), declared=True)
    assert not is_explicit(source.of_bytes(element(0x00080016, "UI", "1.2")), declared=False)


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("explicit", [False, True])
def test_a_nested_sequence_is_passed_over_whole(undefined: bool, explicit: bool) -> None:
    leaf = element(0x00080100, "SH", "code", explicit=explicit)
    inner = sequence(0x00081140, item(leaf, undefined=undefined), undefined=undefined, explicit=explicit)
    outer = sequence(
        0x00081115, item(inner, undefined=undefined), item(), undefined=undefined, explicit=explicit
    )
    assert skip(outer, explicit=explicit) == 0


def test_un_of_undefined_length_is_passed_over_as_implicit_vr() -> None:
    leaf = element(0x00080100, "SH", "code", explicit=False)
    assert skip(sequence(0x00091010, item(leaf, undefined=True), undefined=True, vr="UN")) == 0


def nest(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = sequence(0x00081140, item(data, undefined=True), undefined=True)
    return data


def test_nesting_is_followed_as_deep_as_the_limit_and_no_deeper() -> None:
    assert skip(nest(MAX_DEPTH)) == 0
    for depth in (MAX_DEPTH + 2, 200, 5000):
        with pytest.raises(Part10Error, match="deeply"):
            skip(nest(depth))


def test_many_small_elements_and_many_empty_items_use_up_the_budget() -> None:
    leaf = element(0x00080100, "SH", "") * 101
    with pytest.raises(Part10Error, match="too many"):
        skip(sequence(0x00081140, item(leaf, undefined=True), undefined=True), budget=100)
    with pytest.raises(Part10Error, match="too many"):
        skip(sequence(0x00081140, *[item()] * 101, undefined=True), budget=100)


def test_what_stands_in_a_sequence_has_to_be_an_item() -> None:
    with pytest.raises(Part10Error, match="not an item"):
        read_item(source.of_bytes(element(0x00080100, "SH", "code")))


@pytest.mark.parametrize("tag", [0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0xFFFE1234])
def test_there_are_no_items_outside_a_sequence(tag: int) -> None:
    for explicit in (False, True):
        with pytest.raises(Part10Error, match="no sequence"):
            read_element(source.of_bytes(element(tag, "")), explicit=explicit)
    nested = read_element(source.of_bytes(element(0xFFFEE00D, "")), explicit=True, nested=True)
    assert nested.tag == 0xFFFEE00D


def test_a_declared_two_gigabytes_with_three_there_is_an_error() -> None:
    with pytest.raises(Part10Error, match="past the end"):
        skip(element(0x7FE00010, "OB", b"abc", length=2**31))
    assert UNDEFINED == 2**32 - 1
