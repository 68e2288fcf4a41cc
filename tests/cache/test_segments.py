"""Digests do not depend on how the bytes came, and what was verified is forgotten when a file is touched."""

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.cache.disk import open_regular
from edgerouter.cache.segments import Digester, Verified, is_whole
from edgerouter.cache.unit import DIGEST, SEGMENT, segments
from tests.cache.support import noise


def digests(data: bytes, cuts: list[int]) -> bytes:
    digester = Digester()
    for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
        digester.update(memoryview(data)[start:stop])
    return digester.finish()


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT]), st.data())
def test_digests_do_not_depend_on_how_the_bytes_came(size: int, data: st.DataObject) -> None:
    content = noise(size)
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=6)))
    assert digests(content, cuts) == digests(content, [])
    assert len(digests(content, cuts)) == DIGEST * segments(size)


def test_a_flipped_byte_is_seen_in_its_segment_only(tmp_path: Path) -> None:
    content = bytearray(noise(2 * SEGMENT + 100))
    made = digests(bytes(content), [])
    content[SEGMENT + 7] ^= 1
    path = tmp_path / "unit"
    path.write_bytes(content)
    file = open_regular(path)
    assert [is_whole(file, number, len(content), made) for number in range(3)] == [True, False, True]


def test_what_was_verified_is_forgotten_when_the_file_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "unit"
    path.write_bytes(b"x")
    verified = Verified()
    verified.add(Verified.identity(path.stat()), 3)
    assert verified.has(Verified.identity(path.stat()), 3)
    assert not verified.has(Verified.identity(path.stat()), 2)
    os.utime(path, ns=(1, 1))
    assert not verified.has(Verified.identity(path.stat()), 3)


def test_the_memory_of_what_was_verified_is_bounded() -> None:
    verified = Verified(limit=2)
    for number in range(3):
        verified.add((number,), 0)
    assert [verified.has((number,), 0) for number in range(3)] == [False, True, True]
