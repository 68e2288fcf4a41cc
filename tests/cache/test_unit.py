"""Keys are reversible and strict; metas are checked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.cache.unit import (
    DIGEST,
    SEGMENT,
    UnitKey,
    UnitKind,
    UnitMeta,
    is_sealed,
    kept,
    sealed,
    segments,
)
from edgerouter.http.fields import Fields
from tests.cache.support import frame, instance

uids = st.from_regex(r"[0-9]{1,5}(\.[0-9]{1,5}){0,5}", fullmatch=True)
visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
media = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)


@st.composite
def keys(draw: st.DrawFn) -> UnitKey:
    kind = draw(st.sampled_from(UnitKind))
    which = {
        UnitKind.INSTANCE: st.just(""),
        UnitKind.FRAME: st.integers(1, 10**6).map(str),
        UnitKind.RENDITION: visible,
    }[kind]
    return UnitKey(
        draw(visible),
        draw(uids),
        draw(uids | st.just("")),
        draw(uids | st.just("")),
        kind,
        draw(which),
        draw(media),
        draw(uids | st.just("")),
    )


@given(keys())
def test_a_key_is_read_back_from_its_text(key: UnitKey) -> None:
    assert UnitKey.parse(key.text) == key


@given(keys(), keys())
def test_two_keys_never_share_a_text(one: UnitKey, other: UnitKey) -> None:
    assert (one.text == other.text) == (one == other)


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    try:
        key = UnitKey.parse(text)
    except ValueError:
        return
    assert key.text == text


@pytest.mark.parametrize(
    "key",
    [
        UnitKey("a", "1.2", "", "", UnitKind.FRAME, "0", "", ""),
        UnitKey("a", "1.2", "", "", UnitKind.INSTANCE, "1", "", ""),
        UnitKey("a", "1.2", "", "", UnitKind.RENDITION, "", "", ""),
        UnitKey("", "1.2", "", "", UnitKind.INSTANCE, "", "", ""),
        UnitKey("a", "../x", "", "", UnitKind.INSTANCE, "", "", ""),
        UnitKey("a", "1.2", "", "", UnitKind.INSTANCE, "", "image/jpeg\x1f1.2", ""),
        UnitKey("a", "1.2", "", "", UnitKind.INSTANCE, "", "x\n", ""),
        UnitKey("a", "1.2", "", "", UnitKind.RENDITION, "x" * 9000, "", ""),
    ],
)
def test_a_key_that_could_not_be_read_back_has_no_text(key: UnitKey) -> None:
    with pytest.raises(ValueError, match="not the key"):
        _ = key.text


def test_a_text_that_is_too_long_or_of_another_shape_is_no_key() -> None:
    for text in ("", "x", instance().text + "\x1f", instance().text + "\n", frame(1).text * 100):
        with pytest.raises(ValueError, match="not the key"):
            UnitKey.parse(text)


def test_a_meta_is_read_back() -> None:
    meta = UnitMeta(SEGMENT + 1, b"d" * 2 * DIGEST, 5.5, (("content-type", "image/jp2"),), '"v"', b"table")
    data = meta.encode("key")
    assert UnitMeta.decode(data) == meta
    assert is_sealed("key", data)


@pytest.mark.parametrize("at", [0, 20, -17, -16, -1])
def test_a_seal_is_broken_by_another_name_or_another_bit(at: int) -> None:
    data = bytearray(sealed("frame 3", b"d" * 40))
    assert is_sealed("frame 3", bytes(data))
    assert not is_sealed("frame 2", bytes(data))
    data[at] ^= 1
    assert not is_sealed("frame 3", bytes(data))
    assert not is_sealed("frame 3", b"")


@pytest.mark.parametrize(
    "data",
    [b"", b"garbage", UnitMeta(5, b"", 1.0).encode("k"), UnitMeta(-1, b"", 1.0).encode("k"), b"\x80"],
)
def test_a_meta_that_does_not_agree_with_itself_is_damage(data: bytes) -> None:
    with pytest.raises(OSError, match="The row of a unit"):
        UnitMeta.decode(data)


def test_the_tag_is_the_same_for_the_same_bytes_only() -> None:
    one, other = UnitMeta(1, b"d" * DIGEST, 1.0), UnitMeta(1, b"e" * DIGEST, 1.0)
    assert one.tag == UnitMeta(1, b"d" * DIGEST, 2.0, (("etag", "x"),)).tag
    assert len({one.tag, other.tag, UnitMeta(2, b"d" * DIGEST, 1.0).tag}) == 3


def test_only_allowed_fields_are_written_down() -> None:
    fields = Fields([("Content-Type", "a/b"), ("Set-Cookie", "s"), ("Authorization", "x"), ("ETag", '"1"')])
    assert kept(fields) == (("content-type", "a/b"), ("etag", '"1"'))


def test_every_segment_begun_counts() -> None:
    assert [segments(size) for size in (0, 1, SEGMENT, SEGMENT + 1)] == [0, 1, 1, 2]
