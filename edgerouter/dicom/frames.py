"""The frame table of an instance: where in its file each frame's bytes stand.

A frame of a held instance is then a byte range, or a few, and no codec is needed to answer for it (PS3.18
§10.4.1.1.6, PS3.5 A.4). None means "not derivable": big sample layouts we do not know, video, doubtful offset
tables. A file that is damaged is a Part10Error.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from edgerouter.dicom import encapsulated, source, text
from edgerouter.dicom.elements import UNDEFINED, Element
from edgerouter.dicom.frame_table import FrameTable, encapsulated_table, native_table
from edgerouter.dicom.part10 import PIXELS, ROUTING_LIMIT, read_header, read_meta, scan, texts
from edgerouter.dicom.source import Inflated, Source
from edgerouter.dicom.syntaxes import ENCAPSULATED_UNCOMPRESSED, EXPLICIT_LITTLE_ENDIAN, TransferSyntax

SAMPLES, PHOTOMETRIC, FRAMES = 0x00280002, 0x00280004, 0x00280008
ROWS, COLUMNS, BITS_ALLOCATED = 0x00280010, 0x00280011, 0x00280100
EXTENDED_OFFSETS, EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002
TABLES = frozenset({EXTENDED_OFFSETS, EXTENDED_LENGTHS})
FACTS = TABLES | {SAMPLES, PHOTOMETRIC, FRAMES, ROWS, COLUMNS, BITS_ALLOCATED}
FLOAT_PIXELS, DOUBLE_PIXELS, PIXEL_DATA = 0x7FE00008, 0x7FE00009, 0x7FE00010
_FLOAT_BITS = {FLOAT_PIXELS: 32, DOUBLE_PIXELS: 64}
_MAX_FRAMES = 2**31
OPAQUE, NO_PIXELS = b"opaque", b"no pixels"

Found = Mapping[int, tuple[str, bytes]]  # tag -> VR, raw value


@dataclass(frozen=True, slots=True)
class Shape:
    """The Image Pixel attributes that say how many bytes a native frame has."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    frames: int
    photometric: str

    def frame_bits(self) -> int | None:
        """The size of one frame in bits; None for chrominance in a layout we do not know."""
        pixels = self.rows * self.columns
        if self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422"):
            known = self.samples == 3 and self.bits_allocated == 8 and self.columns % 2 == 0
            return pixels * 16 if known else None
        if self.photometric == "YBR_PARTIAL_420":
            return None
        return pixels * self.samples * self.bits_allocated


def shape(found: Found) -> Shape | None:
    """The shape that attributes of FACTS tell; None when one is missing or makes no sense."""
    numbers = []
    for tag, default in ((ROWS, ""), (COLUMNS, ""), (SAMPLES, "1"), (BITS_ALLOCATED, ""), (FRAMES, "1")):
        vr, raw = found.get(tag, ("", b""))
        value = next(iter(texts(raw, vr, text.DEFAULT)), default)
        if not value.isascii() or not value.isdecimal() or not 0 < int(value) < _MAX_FRAMES:
            return None
        numbers.append(int(value))
    rows, columns, samples, bits, frames = numbers
    vr, raw = found.get(PHOTOMETRIC, ("CS", b""))
    photometric = next(iter(texts(raw, vr, text.DEFAULT)), "")
    return Shape(rows, columns, samples, bits, frames, photometric)


def pixel_table(body: Source, pixels: Element, syntax: TransferSyntax, found: Found) -> FrameTable | None:
    """The frame table of the pixels whose value `body` stands at; it then stands behind them.

    `found` holds the attributes of FACTS that the data set has. Raises Part10Error when the value runs
    past the end.
    """
    if pixels.length != UNDEFINED:
        body.skip(pixels.length)
        return native_pixels(pixels, syntax, found)
    fragments = encapsulated.read_fragments(body, syntax.start)
    form = shape(found)
    usable = pixels.tag == PIXEL_DATA and syntax.encapsulated and syntax.media and not syntax.video
    if not usable or form is None:
        return None
    grouping = encapsulated.group(fragments, form.frames, syntax, _extended(found))
    if grouping is None:
        return None
    if syntax.uid == ENCAPSULATED_UNCOMPRESSED:
        return _uncompressed(fragments, grouping, form)
    return encapsulated_table(syntax.uid, fragments, grouping)


def native_pixels(pixels: Element, syntax: TransferSyntax, found: Found) -> FrameTable | None:
    """The frame table of plain samples, from their head alone: the bytes may still be arriving."""
    form = shape(found)
    bits = form and form.frame_bits()
    if form is None or not bits or not syntax.native or pixels.length == UNDEFINED:
        return None
    if pixels.tag in _FLOAT_BITS and (form.bits_allocated != _FLOAT_BITS[pixels.tag] or form.samples != 1):
        return None
    if form.bits_allocated % 8 and form.bits_allocated != 1:
        return None
    if bits % 8 and form.frames > 1:
        return None  # one-bit frames that do not begin on a byte (PS3.5 §8.1.1) would have to be shifted
    length = -(-bits // 8)
    if not form.frames * length <= pixels.length <= form.frames * length + 1:
        return None
    return native_table(pixels.offset, length, form.frames)


def _uncompressed(
    fragments: encapsulated.Fragments, grouping: encapsulated.Grouping, form: Shape
) -> FrameTable | None:
    """Plain samples in fragments (PS3.5 A.4.11): frames as of Explicit VR Little Endian, without padding."""
    bits = form.frame_bits()
    if not bits or bits % 8 or form.bits_allocated % 8:
        return None
    table = encapsulated_table(EXPLICIT_LITTLE_ENDIAN, fragments, grouping)
    if not all(bits // 8 <= table.length(frame + 1) <= bits // 8 + 1 for frame in range(table.frames)):
        return None
    return table.trimmed(bits // 8)


def _extended(found: Found) -> tuple[bytes, bytes] | None:
    if EXTENDED_OFFSETS not in found and EXTENDED_LENGTHS not in found:
        return None
    return found.get(EXTENDED_OFFSETS, ("", b""))[1], found.get(EXTENDED_LENGTHS, ("", b""))[1]


def scan_frames(file: Source) -> FrameTable | None:
    """The frame table of the PS3.10 file a source stands at the beginning of. Raises Part10Error."""
    return _scanned(file)[0]


def _scanned(file: Source) -> tuple[FrameTable | None, bool]:
    """The frame table, if there can be one, and whether there are pixels at all."""
    _, syntax = read_meta(file)
    start = file.position
    body = Inflated(file) if syntax.deflated else file
    found, pixels = scan(body, syntax, FACTS, max_value=encapsulated.MAX_TABLE)
    if pixels is None:
        return None, False
    table = pixel_table(body, pixels, syntax, found)
    if table is None or _more_pixels(body):
        return None, True
    return replace(table, inflate_at=start) if syntax.deflated else table, True


def _more_pixels(body: Source) -> bool:
    """True when another pixel data element follows (PS3.3 allows one): which is meant, nobody can say."""
    if body.at_end or body.left < 4:
        return False
    group, number = struct.unpack("<HH", body.peek(4))
    return group << 16 | number in PIXELS


def growing_table(head: bytes, *, limit: int = ROUTING_LIMIT) -> FrameTable | None:
    """The frame table of a file that is still arriving, from its first bytes: plain samples only.

    It says where the frames will stand; that they do arrive is the reader's to see. Raises NeedMore and
    Part10Error as read_header does.
    """
    header = read_header(head, FACTS, limit=limit)
    if header.pixels is None or header.syntax.deflated:
        return None
    return native_pixels(header.pixels, header.syntax, header.raw)


def file_table(path: str) -> bytes:
    """The compact frame table of a file, b"" when its frames are not derivable.

    For a worker process: plain values in and out. Raises Part10Error, OSError.
    """
    with source.opened(path) as descriptor:
        table = scan_frames(source.of_file(descriptor))
    return table.to_bytes() if table else b""


def frame_note(path: str) -> bytes:
    """What a cache writes down of a file's frames: its compact frame table, OPAQUE or NO_PIXELS.

    For a worker process. Raises Part10Error, OSError.
    """
    with source.opened(path) as descriptor:
        table, has_pixels = _scanned(source.of_file(descriptor))
    if table is not None:
        return table.to_bytes()
    return OPAQUE if has_pixels else NO_PIXELS


def read_frame(path: str, table: FrameTable, number: int) -> Iterator[bytes]:
    """The bytes of a frame in chunks of at most 1 MiB. Raises IndexError, Part10Error, OSError."""
    pieces = table.pieces(number)
    with source.opened(path) as descriptor:
        yield from source.read_pieces(descriptor, pieces, inflate_at=table.inflate_at)
