"""Any range of an instance that is written anew as it leaves."""

import io
import random
from pathlib import Path

import pydicom
import pytest

from edgerouter.cache.unit import UnitKind
from edgerouter.dicom.syntaxes import DEFLATED_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from edgerouter.errors import Cut
from edgerouter.parsing.describer import Describer
from edgerouter.transactions.viewing import Views
from tests.cache.support import SERIES, STUDY, instance, noise, opened, put
from tests.dicom.build import element, part10


def file(syntax: str, pixels: bytes) -> bytes:
    """An instance of some attributes and many pixels."""
    uids = ((0x00080018, f"{SERIES}.1"), (0x0020000D, STUDY), (0x0020000E, SERIES))
    data_set = element(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7")
    data_set += b"".join(element(tag, "UI", uid) for tag, uid in uids)
    data_set += element(0x00204000, "LT", "a comment " * 500) + element(0x7FE00010, "OW", pixels)
    if syntax == DEFLATED_LITTLE_ENDIAN:
        return part10(data_set, syntax)
    found, out = pydicom.dcmread(io.BytesIO(part10(data_set))), io.BytesIO()
    found.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    found.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize("syntax", [IMPLICIT_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN])
async def test_any_range_is_that_of_the_whole(tmp_path: Path, syntax: str) -> None:
    pixels, key, describer = noise(1_500_000), instance(syntax=syntax), Describer("views")
    async with opened(tmp_path) as cache:
        await put(cache, key, file(syntax, pixels))
        views = Views(cache, describer)
        held = await cache.catalog.held(["a"], STUDY, SERIES, f"{SERIES}.1", UnitKind.INSTANCE)
        view = await views.of(held)
        unit = await cache.units.get(key)
        assert view
        assert unit

        async def read(start: int, stop: int) -> bytes:
            return b"".join([piece async for piece in views.read(view, unit, start, stop)])

        whole = await read(0, view.size)
        assert len(whole) == view.size
        assert bytes(pydicom.dcmread(io.BytesIO(whole)).PixelData) == pixels
        numbers = random.Random(7)
        head = [numbers.randrange(7000) for _ in range(60)]
        anywhere = [numbers.randrange(view.size + 1) for _ in range(20)]
        for at in (head, anywhere):
            for start, stop in zip(at[::2], at[1::2], strict=True):
                start, stop = sorted((start, stop))
                assert await read(start, stop) == whole[start:stop]
        assert await read(5, 5) == b""
    await describer.aclose()


async def test_a_view_of_another_file_than_was_measured_is_a_cut(tmp_path: Path) -> None:
    key, describer = instance(syntax=IMPLICIT_LITTLE_ENDIAN), Describer("views")
    async with opened(tmp_path) as cache:
        await put(cache, key, file(IMPLICIT_LITTLE_ENDIAN, noise(1000)))
        held = await cache.catalog.held(["a"], STUDY, SERIES, f"{SERIES}.1", UnitKind.INSTANCE)
        view = await Views(cache, describer).of(held)
        assert view
        await put(cache, key, file(IMPLICIT_LITTLE_ENDIAN, noise(2000)))
        unit = await cache.units.get(key)
        assert unit
        with pytest.raises(Cut):
            async for _ in Views(cache, describer).read(view, unit, 0, view.size):
                pass
    await describer.aclose()
