"""All pixel data of held instances: every frame of each, in the representation that is wished."""

import asyncio
from collections.abc import Sequence

from edgerouter.cache.unit import Held
from edgerouter.dicom.frame_table import FrameTable
from edgerouter.dicomweb.media import Wish, best
from edgerouter.transactions.derived import Derived, Tables, cut_out

_STEP = 512  # frames cut out before others have their turn


async def choose(
    held: Sequence[Held], wanted: Sequence[Wish], tables: Tables
) -> tuple[Held, FrameTable] | None:
    """Of the representations of one instance the one whose frames are wished, and where they stand."""
    forms: dict[tuple[str, str | None], tuple[Held, FrameTable]] = {}
    for one in held:
        if table := (await tables.of(one)).table:
            forms.setdefault((table.media, table.transfer_syntax), (one, table))
    found = best(wanted, sorted(forms, key=str))
    return forms[found[1]] if found else None


async def has_no_pixels(held: Sequence[Held], tables: Tables) -> bool:
    """Whether it is known that an instance has none."""
    for one in held:
        if (await tables.of(one)).no_pixels:
            return True
    return False


async def frames_of(held: Held, table: FrameTable) -> list[Derived]:
    """Every frame of an instance."""
    frames: list[Derived] = []
    for number in range(1, table.frames + 1):
        if frame := cut_out(held, table, number):
            frames.append(frame)
        if number % _STEP == 0:
            await asyncio.sleep(0)
    return frames
