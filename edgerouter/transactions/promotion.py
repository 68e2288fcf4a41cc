"""Promotion: a missing frame of a single-frame instance is had by fetching the instance, so that its pixels
cross the line once, whatever is asked for next."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from edgerouter.cache.catalog import Catalog
from edgerouter.dicomweb.media import DICOM, OCTETS, Wish
from edgerouter.dicomweb.resource import Resource
from edgerouter.dicomweb.syntaxes import default_syntax

_SERIES = 10_000  # whose shape is remembered


class Shapes:
    """Which series have instances whose frames are had one by one: of several frames, or not to be cut."""

    def __init__(self) -> None:
        self._manifold: OrderedDict[tuple[str, str], None] = OrderedDict()

    def note(self, upstream: str, series: str) -> None:
        """An instance of the series is not worth fetching for the sake of one frame."""
        self._manifold[upstream, series] = None
        self._manifold.move_to_end((upstream, series))
        if len(self._manifold) > _SERIES:
            self._manifold.popitem(last=False)

    async def may_promote(self, catalog: Catalog, upstream: str, resource: Resource) -> bool:
        """Whether to fetch the instance for frame 1: not if it has, or is likely to have, several."""
        series = resource.series or ""
        if resource.frames != (1,) or (upstream, series) in self._manifold:
            return False
        member = (series, resource.instance or "")
        async for row in catalog.metadata(upstream, resource.study or "", [member]):
            if row is not None and frames_of(row.data) > 1:
                self.note(upstream, series)
                return False
        return True


class _Count(msgspec.Struct):
    value: list[int | str | float | None] = msgspec.field(name="Value", default_factory=list)


class _Counted(msgspec.Struct):
    frames: _Count = msgspec.field(name="00280008", default_factory=_Count)


_counted = msgspec.json.Decoder(_Counted)


def frames_of(row: bytes) -> int:
    """NumberOfFrames of a metadata row, 1 when it has none."""
    try:
        values = _counted.decode(row).frames.value
        return int(values[0] or 1) if values else 1
    except (msgspec.DecodeError, ValueError):
        return 1


def instance_wishes(wanted: Sequence[Wish]) -> list[Wish]:
    """As what to ask for the instance, so that its frame comes as wished."""
    found = [replace(wish, media=DICOM, transfer_syntax=_syntax(wish), multipart=True) for wish in wanted]
    return list(dict.fromkeys(found))


def _syntax(wish: Wish) -> str | None:
    if wish.media == OCTETS or wish.transfer_syntax:
        return wish.transfer_syntax
    return default_syntax(wish.media)
