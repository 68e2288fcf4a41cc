"""Frames cut out of held instances are what a real archive answers to the same wish, for every sample.

Two differences are meant. An archive that holds Implicit VR Little Endian labels its frames so (Orthanc's
plugin 1.7); the bytes are those of Explicit VR Little Endian, the one uncompressed syntax of web services
(PS3.18 §8.7.3), which viewers read without a question: so are they labelled by us. And where it has no answer
(500 for deflated files, 400 where only the start of each codestream tells the frames apart) ours are those
of pydicom, or those that the file was made of.
"""

import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
import pytest

from edgerouter.dicom.syntaxes import IMPLICIT_LITTLE_ENDIAN, transfer_syntax
from tests.scenarios.shapes import SHAPES
from tests.support.archives import Edge, edge_over
from tests.support.doors import DICOM_AS_STORED, OCTETS, OCTETS_AS_STORED, Door, Reply, until_hit
from tests.support.orthanc import Orthanc
from tests.support.samples import Sample, one_of_each, wheel_samples

pytestmark = pytest.mark.archives

# Files of the wheel's folder that are no PS3.10 instance with three UIDs, so no archive can take them.
NO_INSTANCE = {
    "no DICOM": {
        "README", "README.txt", "crayons.icc", "rtplan.dump", "rtstruct.dump", "test1.json", "test_PN.json",
        "zipMR.gz",
    },
    "a directory of files": {
        "DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-empty.dcm", "DICOMDIR-implicit", "DICOMDIR-nooffset",
        "DICOMDIR-nopatient", "DICOMDIR-reordered",
    },
    "no prefix or no meta information": {
        "ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm", "meta_missing_tsyntax.dcm", "no_meta.dcm",
        "no_meta_group_length.dcm", "rtstruct.dcm",
    },
    "a UID is missing": {
        "JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "SC_rgb_jls_lossy_line.dcm",
        "SC_rgb_jls_lossy_sample.dcm", "UN_sequence.dcm", "empty_charset_LEI.dcm", "nested_priv_SQ.dcm",
        "priv_SQ.dcm",
    },
}  # fmt: skip
# Frames that the archive holds and refuses under `*`: with which status.
UNANSWERED = {"image_dfl.dcm": 500, "SC_ybr_full_422_uncompressed.dcm": 400}
# Refused by the archive, which cannot parse them.
REFUSED = {"SC_rgb_jpeg.dcm", "MR_truncated.dcm", "rtplan_truncated.dcm"}
# With pixels, and no frame that can be cut out: why. What is big endian is not even kept.
OPAQUE = {
    "ExplVR_BigEnd.dcm": "big endian",
    "MR_small_bigendian.dcm": "big endian",
    "MR_small_expb.dcm": "big endian",
    "SC_rgb_small_odd_big_endian.dcm": "big endian",
    "liver_expb_1frame.dcm": "big endian",
    "rtdose_expb.dcm": "big endian",
    "rtdose_expb_1frame.dcm": "big endian",
    "MR_small_padded.dcm": "more bytes of pixels than its frames have",
}


@dataclass(frozen=True)
class Ground:
    """An archive, a router over it that holds every instance, and what they hold."""

    archive: Orthanc
    edge: Edge
    direct: Door
    door: Door
    wheel: list[Sample]
    made: dict[str, tuple[Sample, list[bytes]]]


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with tempfile.TemporaryDirectory(prefix="edge") as folder:
        wheel = [*told_apart(Path(folder), wheel_samples())]
        made = {
            f"{name}, {frames}": shaped(Path(folder), name, frames) for name in SHAPES for frames in (1, 3)
        }
        files = [sample.path for sample in (*wheel, *(sample for sample, _ in made.values()))]
        with Orthanc("frames", Path(folder) / "archive") as archive:
            archive.load(files)
            with (
                edge_over(Path(folder), {"a": archive}, cache="1 GB") as edge,
                Door(archive.dicomweb_url, "") as direct,
                Door(edge.dicomweb, "") as door,
            ):
                wheel = [sample for sample in wheel if sample.path not in archive.refused]
                for sample in (*wheel, *(sample for sample, _ in made.values())):
                    if transfer_syntax(sample.syntax).little_endian:
                        hold(door, sample)
                yield Ground(archive, edge, direct, door, wheel, made)


def hold(door: Door, sample: Sample) -> None:
    """Have an instance kept."""
    until_hit(lambda: door.ask(sample.resource, DICOM_AS_STORED), sample.path.name)


def told_apart(folder: Path, samples: list[Sample]) -> Iterator[Sample]:
    """The samples, those of a UID that others have in a copy with a UID of its own, as long as theirs."""
    first = one_of_each(samples)
    taken = {sample.instance for sample in first}
    for sample in samples:
        if sample in first:
            yield sample
            continue
        uid = next(f"{sample.instance[:-2]}{end}" for end in range(10, 100) if free(sample, end, taken))
        taken.add(uid)
        path = folder / sample.path.name
        path.write_bytes(sample.path.read_bytes().replace(sample.instance.encode(), uid.encode()))
        yield replace(sample, path=path, instance=uid)


def free(sample: Sample, end: int, taken: set[str]) -> bool:
    return f"{sample.instance[:-2]}{end}" not in taken


def shaped(folder: Path, name: str, frames: int) -> tuple[Sample, list[bytes]]:
    """A generated instance, and its frames."""
    shape, noise = SHAPES[name], random.Random(f"{name}{frames}")
    root = f"1.2.826.0.1.3680043.9.{[*SHAPES].index(name)}.{frames}"
    attributes = [
        (0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7"),
        (0x00080018, "UI", f"{root}.3"),
        (0x00080060, "CS", "OT"),
        (0x00100020, "LO", "SHAPES"),
        (0x0020000D, "UI", f"{root}.1"),
        (0x0020000E, "UI", f"{root}.2"),
    ]
    pixels = [shape.frame(noise.randbytes(1000)) for _ in range(frames)]
    path = folder / f"{root}.dcm"
    path.write_bytes(shape.file(attributes, pixels))
    sample = Sample(path, f"{root}.1", f"{root}.2", f"{root}.3", "SHAPES", "", "OT", "", shape.syntax, frames)
    return sample, pixels


def wishes(sample: Sample) -> list[str]:
    """As stored, by default, as JPEG, and by the media type and transfer syntax that it has."""
    own = transfer_syntax(sample.syntax).media
    named = f'multipart/related; type="{own}"; transfer-syntax={sample.syntax}'
    jpeg = 'multipart/related; type="image/jpeg"'
    return [OCTETS_AS_STORED, OCTETS, jpeg, *([named] if own.startswith("image/") else [])]


def told(reply: Reply) -> tuple[int, str, bytes]:
    """Status, type and bytes of a lone frame."""
    if reply.status != 200:
        return reply.status, "", b""
    [part] = reply.parts
    media = part.fields["content-type"].replace('"', "")
    if media.endswith(f"={IMPLICIT_LITTLE_ENDIAN}"):
        media += ".1"
    return 200, media, part.body


def is_derived(reply: Reply) -> bool:
    return "detail=derived" in (reply.get("cache-status") or "")


def test_every_file_of_the_wheel_is_an_instance_that_the_archive_has_or_is_listed(ground: Ground) -> None:
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    there = {sample.path.name for sample in ground.wheel} | REFUSED
    rest = {path.name for path in folder.rglob("*") if path.is_file() and path.name not in there}
    assert rest == set().union(*NO_INSTANCE.values())
    assert {path.name for path in ground.archive.refused} == REFUSED


def test_every_frame_of_every_sample_is_what_the_archive_answers(ground: Ground) -> None:
    derived, seen, unanswered = 0, 0, set()
    for sample in ground.wheel:
        for number in sorted({1, sample.frames} - {0}):
            for wish in wishes(sample):
                path = f"{sample.resource}/frames/{number}"
                there, ours = ground.direct.ask(path, wish), ground.door.ask(path, wish)
                seen += 1
                derived += is_derived(ours)
                if is_derived(ours) and there.status != 200:
                    unanswered.add((sample.path.name, there.status))
                else:
                    assert told(ours) == told(there), (sample.path.name, number, wish)
    # What only we answer is what pydicom reads: see below.
    assert unanswered == set(UNANSWERED.items())
    assert derived > seen // 3, (derived, seen)


def test_every_sample_with_pixels_can_be_cut_but_those_that_are_listed(ground: Ground) -> None:
    opaque = set()
    for sample in ground.wheel:
        own = transfer_syntax(sample.syntax)
        wish = OCTETS if own.native and own.little_endian else f"{OCTETS}; transfer-syntax={sample.syntax}"
        path = f"{sample.resource}/frames/{sample.frames}"
        if sample.frames and not is_derived(ground.door.ask(path, wish)):
            opaque.add(sample.path.name)
    assert opaque == set(OPAQUE)


@pytest.mark.parametrize("name", UNANSWERED)
def test_what_the_archive_does_not_answer_is_the_frame_that_pydicom_reads(ground: Ground, name: str) -> None:
    [sample] = [one for one in ground.wheel if one.path.name == name]
    reply = ground.door.ask(f"{sample.resource}/frames/1", OCTETS)
    assert is_derived(reply)
    file = pydicom.dcmread(sample.path)
    bytes_a_pixel = 2 if file.PhotometricInterpretation == "YBR_FULL_422" else file.SamplesPerPixel
    assert told(reply)[2] == file.PixelData[: file.Rows * file.Columns * bytes_a_pixel]


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_of_encapsulation_is_cut_where_the_archive_cuts_it(
    ground: Ground, name: str, frames: int
) -> None:
    sample, pixels = ground.made[f"{name}, {frames}"]
    by_start = name.endswith("by their start") and frames > 1
    refused = 500 if name == "deflated" else 400 if by_start else 200
    for number, pixel in enumerate(pixels, 1):
        path = f"{sample.resource}/frames/{number}"
        there, ours = (door.ask(path, OCTETS_AS_STORED) for door in (ground.direct, ground.door))
        assert is_derived(ours)
        assert told(ours) == (200, SHAPES[name].form, pixel)
        assert there.status == refused
        if refused == 200:
            assert told(there) == told(ours)


def test_no_line_was_crossed_for_what_was_cut(ground: Ground) -> None:
    samples = [one for one in ground.wheel if one.frames and one.path.name not in OPAQUE]
    before = ground.edge.upstream_requests()
    for sample in samples:
        assert ground.door.ask(f"{sample.resource}/frames/1", OCTETS_AS_STORED).status == 200
    assert ground.edge.upstream_requests() == before
