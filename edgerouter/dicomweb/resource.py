"""The resources of the Studies service (PS3.18 §10.1-10.6): a strict grammar over the raw path.

Nothing is decoded: a path either is made of the exact segments below, or it is refused. What comes out
is assembled again from its parts, so the path we routed on is the path the upstream gets (law 9).
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from edgerouter.errors import BadRequest, NotFound

MAX_FRAMES = 4096  # frame numbers in one list; a request head holds no more anyway
_UID = re.compile(r"(?=[0-9.]{1,64}\Z)[0-9]++(?:\.[0-9]++)*+\Z")
_FRAMES = re.compile(r"[1-9][0-9]{0,8}(?:(?:,|%2[Cc])[1-9][0-9]{0,8})*\Z")
# A percent-encoded octet may be anything but a control, a slash, a backslash or a dot in disguise.
_OCTETS = r"(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%(?!2[EeFf]|5[Cc]|7[Ff]|[01])[0-9A-Fa-f]{2})+"
_TAIL = re.compile(rf"{_OCTETS}(?:/{_OCTETS})*\Z")


class Transaction(StrEnum):
    """PS3.18 §10.3: what is asked of a resource."""

    SEARCH = "search"
    RETRIEVE = "retrieve"
    STORE = "store"
    WADO_URI = "wado-uri"
    CAPABILITIES = "capabilities"


class Level(StrEnum):
    """The level of the information model a resource is about."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


class Kind(StrEnum):
    """What a path names; the last segment's word where there is one."""

    ROOT = "root"
    COLLECTION = "collection"  # /studies, …/series, …/instances: searched, or stored into
    DICOM = "dicom"  # a study, series or instance as PS3.10
    METADATA = "metadata"
    FRAMES = "frames"
    BULKDATA = "bulkdata"  # all of it (…/bulkdata), or one value under an upstream's own tail
    PIXELDATA = "pixeldata"
    RENDERED = "rendered"
    THUMBNAIL = "thumbnail"
    VOLUME = "volume"  # renderedMPR, rendered3D (Sup 228)
    TOKEN = "token"  # a bulkdata URI outside the study tree, handed out by us
    WADO_URI = "wado-uri"  # the legacy URI service (PS3.18 §9)


_WORDS = {
    "metadata": Kind.METADATA,
    "bulkdata": Kind.BULKDATA,
    "pixeldata": Kind.PIXELDATA,
    "rendered": Kind.RENDERED,
    "thumbnail": Kind.THUMBNAIL,
    "renderedMPR": Kind.VOLUME,
    "rendered3D": Kind.VOLUME,
}


_COLLECTIONS: dict[Level | None, str] = {
    Level.STUDY: "/studies",
    Level.SERIES: "/series",
    Level.INSTANCE: "/instances",
}


@dataclass(frozen=True, slots=True)
class Resource:
    """What a PS3.18 path names.

    `level` is the level of what is asked for: a COLLECTION of series under a study has level SERIES.
    `frames` are 1-based, in the order asked, never empty for FRAMES. `tail` is the encoded rest of a
    path below `frames` (rendered, thumbnail) or of an upstream's own bulkdata URI.
    """

    kind: Kind
    level: Level | None = None
    study: str | None = None
    series: str | None = None
    instance: str | None = None
    frames: tuple[int, ...] = ()
    tail: str = ""

    @property
    def path(self) -> str:
        """The canonical encoded path, relative to the DICOMweb root; "" for the root and WADO-URI."""
        parts = [self.parent]
        if self.kind is Kind.COLLECTION:
            parts.append(_COLLECTIONS[self.level])
        elif self.frames:
            parts.append("/frames/" + ",".join(map(str, self.frames)))
        if self.tail:
            parts.append("/" + self.tail)
        elif self.kind not in (Kind.COLLECTION, Kind.DICOM, Kind.FRAMES, Kind.ROOT, Kind.WADO_URI):
            parts.append("/" + self.kind.value)
        return "".join(parts)

    @property
    def place(self) -> tuple[str, str, str]:
        """The UIDs of its study, series and instance, "" for what it names none of."""
        return self.study or "", self.series or "", self.instance or ""

    @property
    def parent(self) -> str:
        """The path of the study, series or instance it stands under; "" when it stands under none."""
        names = (("studies", self.study), ("series", self.series), ("instances", self.instance))
        return "".join(f"/{word}/{uid}" for word, uid in names if uid)

    @property
    def template(self) -> str:
        """The path with its identifiers taken out: fit for logs and metric labels (law 12)."""
        names = (("studies", self.study), ("series", self.series), ("instances", self.instance))
        path = "".join(f"/{word}/{{{word}}}" for word, uid in names if uid)
        if self.kind is Kind.COLLECTION:
            return path + _COLLECTIONS[self.level]
        if self.frames:
            path += "/frames/{frames}"
        if self.kind in (Kind.DICOM, Kind.FRAMES):
            return path
        if self.kind is Kind.BULKDATA and self.tail and self.tail != "bulkdata":
            return path + "/{bulkdata}"
        return f"{path}/{self.kind.value}"


def is_uid(text: str) -> bool:
    """PS3.5 §9.1: digits and dots, at most 64 characters. Leading zeros are let pass: archives hold them."""
    return _UID.match(text) is not None


def parse(path: str) -> Resource:
    """The resource a raw (still encoded) path names, relative to the DICOMweb root.

    Raises BadRequest for a malformed UID or frame list, NotFound for a path that names nothing of the
    Studies service. No path with dot segments, empty segments or encoded slashes gets through.
    """
    if path in ("", "/"):
        return Resource(Kind.ROOT)
    segments = path.split("/")
    if segments[0] or "" in segments[1:]:
        raise NotFound("The path has an empty segment.")
    segments = segments[1:]
    if segments[0] == "studies":
        return _study(segments[1:])
    if segments[0] == "bulkdata" and len(segments) == 2:
        return Resource(Kind.TOKEN, tail=_tail(["bulkdata", segments[1]]))
    if segments == ["series"]:
        return Resource(Kind.COLLECTION, Level.SERIES)
    if segments == ["instances"]:
        return Resource(Kind.COLLECTION, Level.INSTANCE)
    raise NotFound("No such resource in the Studies service.")


def _study(rest: list[str]) -> Resource:
    if not rest:
        return Resource(Kind.COLLECTION, Level.STUDY)
    study = _uid(rest[0], "StudyInstanceUID")
    rest = rest[1:]
    if rest == ["series"]:
        return Resource(Kind.COLLECTION, Level.SERIES, study)
    if rest == ["instances"]:
        return Resource(Kind.COLLECTION, Level.INSTANCE, study)
    if len(rest) >= 2 and rest[0] == "series":
        return _series(study, rest[1:])
    return _leaf(Level.STUDY, study, None, None, rest)


def _series(study: str, rest: list[str]) -> Resource:
    series = _uid(rest[0], "SeriesInstanceUID")
    rest = rest[1:]
    if rest == ["instances"]:
        return Resource(Kind.COLLECTION, Level.INSTANCE, study, series)
    if len(rest) >= 2 and rest[0] == "instances":
        instance = _uid(rest[1], "SOPInstanceUID")
        return _instance(study, series, instance, rest[2:])
    return _leaf(Level.SERIES, study, series, None, rest)


def _instance(study: str, series: str, instance: str, rest: list[str]) -> Resource:
    if len(rest) in (2, 3) and rest[0] == "frames":
        frames = _frame_list(rest[1])
        if len(rest) == 2:
            return Resource(Kind.FRAMES, Level.INSTANCE, study, series, instance, frames)
        kind = _WORDS.get(rest[2])
        if kind in (Kind.RENDERED, Kind.THUMBNAIL, Kind.VOLUME):
            return Resource(kind, Level.INSTANCE, study, series, instance, frames, rest[2])
        raise NotFound("No such resource of a frame.")
    return _leaf(Level.INSTANCE, study, series, instance, rest)


def _leaf(level: Level, study: str, series: str | None, instance: str | None, rest: list[str]) -> Resource:
    if not rest:
        return Resource(Kind.DICOM, level, study, series, instance)
    kind = _WORDS.get(rest[0]) if len(rest) == 1 else None
    if kind is not None:
        return Resource(kind, level, study, series, instance, tail=rest[0])
    # Any further tail is that upstream's own bulkdata URI (opaque, PS3.18 §10.4.1.1.5).
    return Resource(Kind.BULKDATA, level, study, series, instance, tail=_tail(rest))


def _uid(text: str, name: str) -> str:
    if not is_uid(text):
        raise BadRequest(f"The path's {name} is not a valid UID: digits and dots, at most 64 characters.")
    return text


def _frame_list(text: str) -> tuple[int, ...]:
    if not _FRAMES.match(text):
        raise BadRequest("The frame list must be numbers from 1 on, separated by commas.")
    frames = tuple(int(number) for number in re.split(r",|%2[Cc]", text))
    if len(frames) > MAX_FRAMES:
        raise BadRequest(f"The frame list is longer than {MAX_FRAMES} numbers.")
    return frames


def _tail(segments: list[str]) -> str:
    tail = "/".join(segments)
    if not _TAIL.match(tail) or any(segment in (".", "..") for segment in segments):
        raise NotFound("No such resource in the Studies service.")
    return tail
