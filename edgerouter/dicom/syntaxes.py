"""Transfer syntax facts: how a data set is encoded, and the media type its frames travel under.

pydicom's UID dictionary says which UIDs are transfer syntaxes; what it does not know (media types, video,
the syntaxes registered after it) is tabled here (PS3.5 Annex A, PS3.18 Table 8.7.3-5).
"""

from dataclasses import dataclass
from functools import lru_cache

from pydicom import config
from pydicom.uid import UID

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
DEFLATED_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
RLE_LOSSLESS = "1.2.840.10008.1.2.5"

OCTET_STREAM = "application/octet-stream"
_ROOT = "1.2.840.10008.1.2.4."
_NATIVE = (IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN)
# The JPIP syntaxes hold a URL in place of pixels (PS3.5 A.6, A.7); two of them deflate the whole data set.
_REFERENCED = frozenset(_ROOT + leaf for leaf in ("94", "95", "204", "205"))
_DEFLATED = frozenset({DEFLATED_LITTLE_ENDIAN, _ROOT + "95", _ROOT + "205"})
_LATER = {
    _ROOT + "110": "JPEG XL Lossless",
    _ROOT + "111": "JPEG XL JPEG Recompression",
    _ROOT + "112": "JPEG XL",
}
_SOI = b"\xff\xd8"  # JPEG and JPEG-LS: start of image
_SOC = b"\xff\x4f\xff\x51"  # JPEG 2000 and HTJ2K: start of codestream, then the SIZ marker

# Inclusive ranges of the number after 1.2.840.10008.1.2.4: media type, first bytes of a codestream.
_CODECS = (
    (50, 79, "image/jpeg", _SOI),
    (80, 81, "image/jls", _SOI),
    (90, 91, "image/jp2", _SOC),
    (92, 93, "image/jpx", _SOC),
    (100, 101, "video/mpeg", b""),
    (102, 108, "video/mp4", b""),
    (110, 112, "image/jxl", b""),
    (201, 203, "image/jphc", _SOC),
)


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One transfer syntax.

    `media` is the media type of a frame in it, "" where it has no pixels a frame could be cut from.
    `start` are the bytes every codestream of it begins with, b"" where none are fixed.
    """

    uid: str
    name: str
    explicit: bool
    little_endian: bool
    deflated: bool
    encapsulated: bool
    media: str
    start: bytes

    @property
    def video(self) -> bool:
        return self.media.startswith("video/")

    @property
    def rle(self) -> bool:
        return self.uid == RLE_LOSSLESS

    @property
    def native(self) -> bool:
        """True when Pixel Data holds plain samples (PS3.5 A.1-A.3, A.5)."""
        return self.uid in _NATIVE


@lru_cache(maxsize=128)
def transfer_syntax(uid: str) -> TransferSyntax:
    """The facts about a transfer syntax UID, as it is written in (0002,0010).

    A UID nobody registered is read as Explicit VR Little Endian, as every syntax is but two
    (PS3.5 A.4), and has no media type: no frame is ever cut out of it.
    """
    known = UID(uid, config.IGNORE)  # its validation would log what an upload says
    registered = known.type == "Transfer Syntax" or uid in _LATER
    media, start = _codec(uid) if registered else ("", b"")
    return TransferSyntax(
        uid=uid,
        name=_LATER.get(uid) or (known.name if registered else ""),
        explicit=uid != IMPLICIT_LITTLE_ENDIAN,
        little_endian=uid != EXPLICIT_BIG_ENDIAN,
        deflated=uid in _DEFLATED,
        encapsulated=registered and uid not in _NATIVE and uid not in _REFERENCED,
        media=media,
        start=start,
    )


def _codec(uid: str) -> tuple[str, bytes]:
    if uid in _NATIVE or uid == ENCAPSULATED_UNCOMPRESSED:
        return OCTET_STREAM, b""
    if uid == RLE_LOSSLESS:
        return "image/dicom-rle", b""
    number = uid.removeprefix(_ROOT).partition(".")[0]  # 100.1 is the fragmentable form of 100
    if not uid.startswith(_ROOT) or not number.isdecimal():
        return "", b""
    for first, last, media, start in _CODECS:
        if first <= int(number) <= last:
            return media, start
    return "", b""
