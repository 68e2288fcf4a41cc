"""What is cut out of a unit is made of its bytes, whatever pieces it lies in."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.cache.cache import Cache
from edgerouter.cache.fill import Fill
from edgerouter.cache.unit import Held, UnitKind
from edgerouter.dicom.frame_table import native_table
from edgerouter.dicom.frames import NO_PIXELS, OPAQUE
from edgerouter.transactions.derived import Derived, Note, Tables, cut_out, unit_of
from edgerouter.transactions.sending import ranges_of
from tests.cache.support import DICOM, EXPLICIT, HEAD, SERIES, STUDY, instance, opened, read_all, settled

TABLE = native_table(10, 20, 4)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 30)), max_size=8),
    st.integers(0, 260),
    st.integers(0, 260),
)
def test_any_range_of_a_derived_form_is_those_bytes_of_its_unit(
    gaps: list[tuple[int, int]], start: int, stop: int
) -> None:
    ranges, at = [], 0
    for gap, length in gaps:
        ranges.append((at + gap, length))
        at += gap + length
    data = bytes(number % 251 for number in range(at))
    whole = b"".join(data[offset : offset + length] for offset, length in ranges)
    held = Held(instance(), len(data), 1.0)
    derived = Derived(instance(), len(whole), 1.0, unit=held, ranges=tuple(ranges))

    found = ranges_of(derived, start, stop)
    assert b"".join(data[low:high] for low, high in found) == whole[start:stop]
    assert unit_of(derived) is unit_of(held) is held
    assert ranges_of(held, start, stop) == [(start, stop)]


@pytest.mark.parametrize("number", [0, -1, 5])
def test_a_frame_that_there_is_not_is_not_cut(number: int) -> None:
    assert cut_out(Held(instance(), 100, 1.0), TABLE, number) is None


def test_a_frame_has_the_place_of_its_instance_and_the_form_of_its_own() -> None:
    frame = cut_out(Held(instance(syntax="1.2.840.10008.1.2"), 100, 7.0), TABLE, 4)
    assert frame is not None
    assert (frame.key.kind, frame.key.which) == (UnitKind.FRAME, "4")
    assert (frame.key.media, frame.key.syntax) == ("application/octet-stream", EXPLICIT)
    assert (frame.size, frame.stored_at, frame.ranges) == (20, 7.0, ((70, 20),))


async def kept(cache: Cache, note: bytes) -> Held:
    """An instance that is held, with what is written down of its frames."""

    async def fetch(fill: Fill) -> None:
        await fill.begin(200, HEAD)
        await fill.open_part(DICOM, 100)
        await fill.write(bytes(100))
        await fill.close_part(instance(), frame_table=note)

    async with cache.fills.join("put", fetch) as follower:
        await read_all(follower)
    await settled(cache)
    place = (STUDY, SERIES, f"{SERIES}.1")
    [held] = await cache.catalog.held(["a"], *place, UnitKind.INSTANCE)
    return held


@pytest.mark.parametrize(
    ("note", "known"),
    [
        (TABLE.to_bytes(), Note(TABLE)),
        (NO_PIXELS, Note(no_pixels=True)),
        (OPAQUE, Note()),
        (TABLE.to_bytes()[:-3], Note()),
        (b"FT1 and nonsense", Note()),
    ],
    ids=["a table", "no pixels", "not to be cut", "cut", "damaged"],
)
async def test_what_is_written_down_of_frames_is_believed_only_if_it_can_be_read(
    tmp_path: Path, note: bytes, known: Note
) -> None:
    async with opened(tmp_path) as cache:
        held, tables = await kept(cache, note), Tables(cache)
        for _ in range(2):  # the second time from memory
            assert await tables.of(held) == known
        frames = await tables.frames([held], [4, 5])
        assert [len(frames[number]) for number in (4, 5)] == [1 if known.table else 0, 0]


async def test_of_an_instance_that_is_not_held_any_more_nothing_is_known(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        held = await kept(cache, TABLE.to_bytes())
        await cache.purge()
        assert await Tables(cache).of(held) == Note()
