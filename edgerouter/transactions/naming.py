"""What the parts of an upstream's answer are: each is named by what it says of itself, never by the request
alone, and becomes a unit only when its end was seen and it is what was asked for (law 3).

A part that is not what was asked for is passed on under its own name, since the client would have got it from
the archive, too; it is never kept. Nor is what may have been compressed with loss just because that was asked
for."""

from dataclasses import dataclass
from typing import Protocol

from edgerouter.cache.unit import UnitKey
from edgerouter.dicomweb.media import DICOM, part_content_type
from edgerouter.http.fields import Fields

_KEPT = ("content-type", "content-encoding", "content-location")


@dataclass(frozen=True, slots=True)
class Label:
    """What a part says of itself before its bytes: fields as they came, canonical media type, the transfer
    syntax if one is named, and how many bytes it is to have, if that is said."""

    fields: Fields
    media: str
    syntax: str | None
    length: int | None

    @property
    def is_plain(self) -> bool:
        """Whether its bytes are those of the media type; coded ones are passed on as they are."""
        return (self.fields.get("content-encoding") or "identity").lower() == "identity"

    @property
    def as_it_came(self) -> Fields:
        """The fields of a part that gets none of ours."""
        fields = self.fields.only(_KEPT)
        label = part_content_type(self.media, self.syntax)
        return fields if "content-type" in fields else fields.set("content-type", label)

    def sized(self, fields: Fields) -> Fields:
        """The same with the length that was said: then every reader is told the same, early or late."""
        return fields if self.length is None else fields.set("content-length", str(self.length))


class Namer(Protocol):
    """Hands the parts of one answer to a fill, one after the other, with their names. `validator` is the
    answer's own, "" without one."""

    validator: str

    async def begin(self, label: Label) -> None: ...

    async def data(self, chunk: bytes) -> None: ...

    async def end(self) -> None:
        """The part's end was seen."""

    async def finish(self) -> None:
        """The answer is whole. Raises Cut when it is not what was asked for all the same."""


def instance_fields(key: UnitKey, base: str) -> Fields:
    """The part fields of an instance: its own transfer syntax, its location below the DICOMweb root."""
    location = f"{base}/studies/{key.study}/series/{key.series}/instances/{key.instance}"
    return Fields([("content-type", part_content_type(DICOM, key.syntax)), ("content-location", location)])


def frame_fields(key: UnitKey, base: str) -> Fields:
    """The part fields of a frame, its location below the DICOMweb root."""
    instance = f"{base}/studies/{key.study}/series/{key.series}/instances/{key.instance}"
    media = part_content_type(key.media, key.syntax)
    return Fields([("content-type", media), ("content-location", f"{instance}/frames/{key.which}")])
