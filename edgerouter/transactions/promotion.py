"""Promotion: a missing frame of a single-frame instance is had by fetching the instance, so that its pixels
cross the line once, whatever is asked for next."""

from collections.abc import Hashable, Sequence
from dataclasses import replace

import msgspec

from edgerouter.cache.catalog import Catalog
from edgerouter.dicom.syntaxes import EXPLICIT_LITTLE_ENDIAN, transfer_syntax
from edgerouter.dicomweb.media import DICOM, OCTETS, Wish
from edgerouter.dicomweb.resource import Resource
from edgerouter.dicomweb.syntaxes import default_syntax, is_lossless
from edgerouter.transactions.noted import Noted

_SERIES = 10_000  # whose shape is remembered


class Shapes:
    """Which series have instances whose frames, wished so, are had one by one: of several frames, or in a
    form from which the frame cannot be cut as wished."""

    def __init__(self) -> None:
        self._apart: Noted[tuple[Hashable, ...], bool] = Noted(_SERIES)

    def note(self, upstream: str, resource: Resource, wanted: Sequence[Wish]) -> None:
        """The instance is not worth fetching for the sake of one frame as wished, nor are others like it."""
        self._apart.note(_name(upstream, resource, wanted), True)

    async def may_promote(
        self, catalog: Catalog, upstream: str, resource: Resource, wanted: Sequence[Wish]
    ) -> bool:
        """Whether to fetch the instance for frame 1: not if it has, or is likely to have, several."""
        if resource.frames != (1,) or _name(upstream, resource, wanted) in self._apart:
            return False
        if (await count_of(catalog, upstream, resource) or 1) > 1:
            self.note(upstream, resource, wanted)
            return False
        return True


def _name(upstream: str, resource: Resource, wanted: Sequence[Wish]) -> tuple[Hashable, ...]:
    return (upstream, resource.series, *(replace(wish, multipart=True) for wish in wanted))


async def count_of(catalog: Catalog, upstream: str, resource: Resource) -> int | None:
    """How many frames an instance has, by its metadata; None when that is not known."""
    member = (resource.series or "", resource.instance or "")
    async for row in catalog.metadata(upstream, resource.study or "", [member]):
        return frames_of(row.data) if row is not None else None
    return None


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


def form_of(syntax: str) -> tuple[str, str]:
    """Media type and transfer syntax of the frames of an instance in a transfer syntax."""
    known = transfer_syntax(syntax)
    return known.media, EXPLICIT_LITTLE_ENDIAN if known.native else syntax


def instance_wishes(wanted: Sequence[Wish]) -> list[Wish]:
    """As what to ask for the instance, so that its frame comes as wished."""
    found = [replace(wish, media=DICOM, transfer_syntax=_syntax(wish), multipart=True) for wish in wanted]
    return list(dict.fromkeys(found))


def _syntax(wish: Wish) -> str | None:
    if wish.transfer_syntax and not is_lossless(wish.transfer_syntax):
        return "*"  # named, it might be made for us; as it is stored it is that, or the frame is asked for
    if wish.media == OCTETS or wish.transfer_syntax:
        return wish.transfer_syntax
    return default_syntax(wish.media)
