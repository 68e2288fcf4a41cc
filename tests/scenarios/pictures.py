"""Archives whose instances are what they say: images whose frames can be told apart, documents, reports.

pacs = pictured(Pacs(slices=3))
pacs = holding(Pacs(slices=1), document(b"%PDF-1.7 …"))
"""

from collections.abc import Sequence

from edgerouter.dicom.syntaxes import EXPLICIT_LITTLE_ENDIAN
from tests.dicom.build import J2K, element, fragments, image, number, part10
from tests.scenarios.pacs import SERIES, STUDY, Pacs, instance
from tests.support.scripted import Reply as Scripted
from tests.support.scripted import Seen, Step

MPEG2 = "1.2.840.10008.1.2.4.100"
ROWS, COLUMNS = 25, 40  # of the thousand bytes that a frame of a Pacs has
PDF = b"%PDF-1.7\n" + bytes(range(32, 127)) * 40 + b"\n%%EOF\n"


def data_set(number_: int, *more: bytes) -> bytes:
    """The data set of an instance; `more` follows its UIDs."""
    attributes = (
        (0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7"),
        (0x00080018, "UI", instance(number_)),
        (0x00080020, "DA", "20100304"),
        (0x00080060, "CS", "OT"),
        (0x00100010, "PN", "Doe^Jane"),
        (0x00100020, "LO", "PAT1"),
        (0x0020000D, "UI", STUDY),
        (0x0020000E, "UI", SERIES),
    )
    return b"".join(element(tag, vr, value) for tag, vr, value in attributes) + b"".join(more)


def shape(frames: int) -> bytes:
    return image(rows=ROWS, columns=COLUMNS, frames=frames)


def native(pacs: Pacs, number_: int) -> bytes:
    """An instance with the frames of the archive, uncompressed."""
    return part10(
        data_set(number_, shape(pacs.frames), element(0x7FE00010, "OW", pacs.pixels(number_))),
        EXPLICIT_LITTLE_ENDIAN,
    )


def codestream(pacs: Pacs, number_: int, frame: int) -> bytes:
    """A frame that begins as JPEG 2000 does, and is noise beyond."""
    return b"\xff\x4f\xff\x51" + pacs.frame(number_, frame)


def compressed(pacs: Pacs, number_: int) -> bytes:
    """The same, each frame a JPEG 2000 codestream in a fragment of its own."""
    frames = [codestream(pacs, number_, frame) for frame in range(1, pacs.frames + 1)]
    return part10(data_set(number_, shape(pacs.frames), fragments(*frames)), J2K)


def video(number_: int, stream: bytes) -> bytes:
    """An MPEG-2 video in two fragments."""
    middle = len(stream) // 4 * 2
    pixels = fragments(stream[:middle], stream[middle:])
    return part10(data_set(number_, shape(9), pixels), MPEG2)


def without_table(pacs: Pacs, number_: int) -> bytes:
    """An instance whose pixels are no whole number of frames."""
    pixels = element(0x7FE00010, "OW", pacs.pixels(number_)[:-10])
    return part10(data_set(number_, shape(pacs.frames), pixels), EXPLICIT_LITTLE_ENDIAN)


def report(number_: int) -> bytes:
    """An instance without pixels."""
    return part10(data_set(number_, number(0x00280010, 1)), EXPLICIT_LITTLE_ENDIAN)


def document(content: bytes, media: str = "application/pdf", number_: int = 1) -> bytes:
    """An encapsulated document."""
    more = element(0x00420011, "OB", content) + element(0x00420012, "LO", media)
    return part10(data_set(number_, more), EXPLICIT_LITTLE_ENDIAN)


def holding(pacs: Pacs, *files: bytes) -> Pacs:
    """The archive with these instances, from 1 on."""
    pacs.files = list(files)
    return pacs


def pictured(pacs: Pacs) -> Pacs:
    """The archive with images that have its frames."""
    return holding(pacs, *(native(pacs, number_) for number_ in pacs.numbers))


def refusing(pacs: Pacs, path: str, status: int, *, unless: Sequence[str] = ()) -> None:
    """Let the archive refuse what is asked for at a path, unless the Accept field holds one of these."""

    def answer(seen: Seen) -> list[Step]:
        if any(word in (seen.get("accept") or "") for word in unless):
            return pacs.answer(path)
        return [Scripted(status)]

    pacs.say[path] = answer
