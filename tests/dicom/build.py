"""PS3.10 files made byte by byte, legal or not, and the sample files of the pydicom wheel."""

import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import pydicom

from edgerouter.dicom.syntaxes import DEFLATED_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
JPEG, RLE, J2K = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90"
STUDY, SERIES, INSTANCE = "1.2.3", "1.2.3.4", "1.2.3.4.5"
_LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")

_DATA = Path(pydicom.__file__).parent / "data"
_NO_DICOM = {".json", ".txt", ".dump", ".icc", ".gz", ".py", ".pyc", ".md"}
SAMPLES = sorted(
    path
    for folder in ("test_files", "charset_files", "palettes")
    for path in (_DATA / folder).rglob("*")
    if path.is_file() and path.suffix not in _NO_DICOM and path.name != "README" and "TINY" not in str(path)
)
# Samples that are broken, or in a form this room refuses; everything else has to be read.
REFUSED = {
    "ExplVR_BigEnd.dcm": "big endian",
    "MR_small_bigendian.dcm": "big endian",
    "MR_small_expb.dcm": "big endian",
    "SC_rgb_small_odd_big_endian.dcm": "big endian",
    "liver_expb_1frame.dcm": "big endian",
    "rtdose_expb.dcm": "big endian",
    "rtdose_expb_1frame.dcm": "big endian",
    "DICOMDIR-bigEnd": "big endian",
    "ExplVR_BigEndNoMeta.dcm": "no prefix",
    "ExplVR_LitEndNoMeta.dcm": "no prefix",
    "no_meta.dcm": "no prefix",
    "rtstruct.dcm": "no prefix",
    "meta_missing_tsyntax.dcm": "no transfer syntax",
    "MR_truncated.dcm": "cut within the pixels",
    "rtplan_truncated.dcm": "cut",
    "DICOMDIR-nooffset": "an item without its delimiter",
}
READABLE = [path for path in SAMPLES if path.name not in REFUSED]


def sample(name: str) -> Path:
    return next(path for path in SAMPLES if path.name == name)


def oracle(path: Path) -> pydicom.FileDataset:
    """The file as pydicom reads it, whatever it has to say about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path)


def element(
    tag: int, vr: str, value: bytes | str = b"", *, explicit: bool = True, length: int | None = None
) -> bytes:
    """One data element; `length` declares another length than the value's."""
    raw = value.encode() if isinstance(value, str) else value
    if len(raw) % 2 and length is None:
        raw += b"\0" if vr in (*_LONG, "UI") else b" "
    size = len(raw) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if not explicit or tag >> 16 == 0xFFFE:
        return head + struct.pack("<L", size) + raw
    if vr in _LONG:
        return head + vr.encode() + struct.pack("<HL", 0, size) + raw
    return head + vr.encode() + struct.pack("<H", size) + raw


def item(content: bytes = b"", *, undefined: bool = False) -> bytes:
    if undefined:
        return element(ITEM, "", content, length=UNDEFINED) + element(ITEM_END, "")
    return element(ITEM, "", content, length=len(content))


def sequence(
    tag: int, *items: bytes, undefined: bool = False, explicit: bool = True, vr: str = "SQ"
) -> bytes:
    content = b"".join(items)
    if undefined:
        end = element(SEQUENCE_END, "")
        return element(tag, vr, content, explicit=explicit, length=UNDEFINED) + end
    return element(tag, vr, content, explicit=explicit, length=len(content))


def number(tag: int, value: int, *, vr: str = "US", explicit: bool = True) -> bytes:
    return element(tag, vr, struct.pack({"US": "<H", "UL": "<L"}[vr], value), explicit=explicit)


def identity(*, explicit: bool = True) -> bytes:
    """SOP class and instance, modality, patient, study, series, in the order of their tags."""
    return b"".join(
        element(tag, vr, value, explicit=explicit)
        for tag, vr, value in (
            (0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7"),
            (0x00080018, "UI", INSTANCE),
            (0x00080060, "CS", "OT"),
            (0x00100020, "LO", "PAT1"),
            (0x0020000D, "UI", STUDY),
            (0x0020000E, "UI", SERIES),
        )
    )


def image(
    *,
    rows: int = 2,
    columns: int = 2,
    bits: int = 8,
    samples: int = 1,
    frames: int | str | None = None,
    photometric: str = "MONOCHROME2",
    explicit: bool = True,
) -> bytes:
    """The Image Pixel attributes a frame table needs."""
    parts = [
        number(0x00280002, samples, explicit=explicit),
        element(0x00280004, "CS", photometric, explicit=explicit),
        b"" if frames is None else element(0x00280008, "IS", str(frames), explicit=explicit),
        number(0x00280010, rows, explicit=explicit),
        number(0x00280011, columns, explicit=explicit),
        number(0x00280100, bits, explicit=explicit),
    ]
    return b"".join(parts)


def fragments(*values: bytes, table: Sequence[int] = ()) -> bytes:
    """Encapsulated Pixel Data with a Basic Offset Table."""
    basic = struct.pack(f"<{len(table)}L", *table)
    items = b"".join(element(ITEM, "", value, length=len(value)) for value in (basic, *values))
    return element(0x7FE00010, "OB", items, length=UNDEFINED) + element(SEQUENCE_END, "")


def part10(data_set: bytes, syntax: str = EXPLICIT_LITTLE_ENDIAN, *, packed: bool = False) -> bytes:
    """A file around a data set encoded as its transfer syntax says; deflated here unless it is `packed`."""
    meta = element(0x00020001, "OB", b"\0\1")
    meta += element(0x00020002, "UI", "1.2.840.10008.5.1.4.1.1.7") + element(0x00020003, "UI", INSTANCE)
    meta += element(0x00020010, "UI", syntax) + element(0x00020012, "UI", "1.2.3.99")
    if syntax == DEFLATED_LITTLE_ENDIAN and not packed:
        data_set = deflated(data_set)
    group_length = element(0x00020000, "UL", struct.pack("<L", len(meta)))
    return b"\0" * 128 + b"DICM" + group_length + meta + data_set


def deflated(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = stream.compress(data) + stream.flush()
    return packed + b"\0" * (len(packed) % 2)


def implicit(data_set: bytes) -> bytes:
    return part10(data_set, IMPLICIT_LITTLE_ENDIAN)
