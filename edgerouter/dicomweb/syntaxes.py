"""Which transfer syntaxes a media type may carry, and which it means when it names none (PS3.18 §8.7.3)."""

EXPLICIT_VR_LE = "1.2.840.10008.1.2.1"
_ROOT = "1.2.840.10008.1.2."


def _uids(*tails: str) -> tuple[str, ...]:
    return tuple(_ROOT + tail for tail in tails)


# Table 8.7.3-5; the first of each row is its default. Several names may share a syntax: the first row that
# has it names it (media_of_syntax).
PIXEL_MEDIA: dict[str, tuple[str, ...]] = {
    "application/octet-stream": _uids("1"),
    "image/jpeg": _uids("4.70", "4.50", "4.51", "4.57"),
    "image/dicom-rle": _uids("5"),
    "image/jls": _uids("4.80", "4.81"),
    "image/jp2": _uids("4.90", "4.91"),
    "image/jpx": _uids("4.92", "4.93"),
    "image/jphc": _uids("4.201", "4.202", "4.203"),
    "image/jxl": _uids("4.110", "4.111", "4.112"),
    "video/mpeg": _uids("4.101", "4.100", "4.101.1", "4.100.1"),
    "video/mp4": _uids(
        "4.102", "4.103", "4.104", "4.105", "4.106", "4.102.1", "4.103.1", "4.104.1", "4.105.1", "4.106.1"
    ),
    "video/h265": _uids("4.107", "4.108"),
}

# What is made of pixels in one of these gives them back bit for bit; of others (4.91, 4.203 …) it may not.
_LOSSLESS = frozenset(
    {"1.2.840.10008.1.2"}
    | set(_uids("1", "1.98", "1.99", "5", "4.57", "4.70", "4.80", "4.90", "4.92", "4.201", "4.202", "4.110"))
)

# Names of the 2013-2016 editions that archives and viewers still write.
_OLD_NAMES = {
    "application/json": "application/dicom+json",
    "image/dicom+jp2": "image/jp2",
    "image/dicom+jpeg": "image/jpeg",
    "image/dicom+jpeg-ls": "image/jls",
    "image/dicom+jpx": "image/jpx",
    "image/dicom+rle": "image/dicom-rle",
    "image/x-dicom+rle": "image/dicom-rle",
    "image/x-dicom-rle": "image/dicom-rle",
    "image/x-jls": "image/jls",
    "video/mpeg2": "video/mpeg",
}

_MEDIA = {uid: media for media, uids in reversed(PIXEL_MEDIA.items()) for uid in uids}
# HEVC may come as video/mp4 too.
_ALSO = {"video/mp4": frozenset(_uids("4.107", "4.108"))}


def canonical(media: str) -> str:
    """The current name of a media type that has gone by others; lower case in, lower case out."""
    return _OLD_NAMES.get(media, media)


def default_syntax(media: str) -> str | None:
    """The transfer syntax meant when none is named, None for types that have none (JSON, rendered)."""
    if media == "application/dicom":
        return EXPLICIT_VR_LE
    return PIXEL_MEDIA[media][0] if media in PIXEL_MEDIA else None


def media_of_syntax(uid: str) -> str | None:
    """The pixel media type of a frame in that transfer syntax, None for one not used in web services."""
    return _MEDIA.get(uid)


def is_lossless(uid: str) -> bool:
    """Whether pixels in that transfer syntax are certainly those that it was made of."""
    return uid in _LOSSLESS


def may_carry(media: str, uid: str) -> bool:
    """Whether pixels in that transfer syntax may go by this media type.

    Octets may be anything: archives answer `application/octet-stream` with compressed frames too.
    """
    if media == "application/octet-stream":
        return True
    return uid in PIXEL_MEDIA.get(media, ()) or uid in _ALSO.get(media, ())
