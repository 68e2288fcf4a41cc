"""What the first bytes of an instance tell, and what becomes of those that tell nothing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicom.part10 import ROUTING_LIMIT
from edgerouter.dicom.source import NeedMore
from edgerouter.dicomweb.store_response import CANNOT_UNDERSTAND
from edgerouter.transactions.instance_head import SYNTAX_NOT_SUPPORTED, HeadReader, InstanceHead, Refusal
from tests.dicom.build import (
    INSTANCE,
    READABLE,
    STUDY,
    deflated,
    element,
    identity,
    item,
    number,
    oracle,
    part10,
    sequence,
)

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.7"
NAMED = (SOP_CLASS, INSTANCE)
BIG_ENDIAN = "1.2.840.10008.1.2.2"
REFERENCED_SERIES = 0x00081115
FILE = part10(
    element(0x00080005, "CS", "ISO_IR 192")
    + element(0x00080008, "CS", "ORIGINAL\\PRIMARY")
    + element(0x00080016, "UI", SOP_CLASS)
    + element(0x00080018, "UI", "1.2.3.4.9")
    + element(0x00080060, "CS", "CT")
    + element(0x00100010, "PN", "Müller^Zoë".encode())
    + element(0x0020000D, "UI", STUDY)
    + number(0x00280010, 512)
    + element(0x7FE00010, "OW", b"\0" * 4096)
)
READER = HeadReader(["Modality", "ImageType", "PatientName", "Rows", "StationName"], study=True)


def refused(data: bytes, reader: HeadReader = READER) -> Refusal:
    with pytest.raises(Refusal) as caught:
        reader.read(data, complete=True)
    assert caught.value.status == 400
    return caught.value


def test_it_tells_who_it_is_and_what_rules_ask_for() -> None:
    assert READER.read(FILE, complete=True) == InstanceHead(
        (SOP_CLASS, "1.2.3.4.9"),
        STUDY,
        {
            "Modality": ("CT",),
            "ImageType": ("ORIGINAL", "PRIMARY"),
            "PatientName": ("Müller^Zoë",),
            "Rows": ("512",),
            "StationName": (),
        },
    )


@given(st.integers(0, len(FILE)))
def test_the_beginning_of_it_tells_the_same_or_asks_for_more(size: int) -> None:
    try:
        head = READER.read(FILE[:size], complete=False)
    except NeedMore as more:
        wanted, head = more.wanted, None
    assert head == READER.read(FILE, complete=True) or size < wanted <= len(FILE)


def test_the_study_is_looked_for_only_where_it_matters() -> None:
    head = HeadReader(["Modality"], study=False).read(FILE, complete=False)

    assert (head.study, head.dataset) == ("", {"Modality": ("CT",)})


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_it_tells_of_every_sample_what_pydicom_does(path: Path) -> None:
    known = oracle(path)
    data = path.read_bytes()
    reader = HeadReader(["Modality", "PatientID", "StudyDescription"], study=False)
    if "SOPInstanceUID" not in known:
        assert refused(data, reader).reason == CANNOT_UNDERSTAND
        return

    head = reader.read(data, complete=True)

    assert head.instance == (known.get("SOPClassUID", ""), known.SOPInstanceUID)
    assert head.dataset["Modality"] == ((known.Modality,) if known.get("Modality") else ())
    assert "".join(head.dataset["PatientID"]) == (known.get("PatientID") or "").strip()


def test_a_deflated_dataset_tells_too() -> None:
    deflated_file = part10(identity(), "1.2.840.10008.1.2.1.99")

    assert HeadReader(["Modality"], study=True).read(deflated_file, complete=True).dataset == {
        "Modality": ("OT",)
    }


def large_sequence(*, undefined: bool) -> bytes:
    references = [item(element(0x00081155, "UI", f"1.2.3.{n:08}")) for n in range(4000)]
    return sequence(REFERENCED_SERIES, *references, undefined=undefined)


@pytest.mark.parametrize("undefined", [True, False])
def test_a_long_sequence_behind_what_decides_does_no_harm(undefined: bool) -> None:
    data = part10(
        element(0x00080016, "UI", SOP_CLASS)
        + element(0x00080018, "UI", INSTANCE)
        + element(0x00080060, "CS", "SEG")
        + large_sequence(undefined=undefined)
        + element(0x00100020, "LO", "P1")
    )

    assert len(data) > ROUTING_LIMIT
    assert HeadReader(["Modality"], study=False).read(data, complete=True).dataset == {"Modality": ("SEG",)}
    # What stands behind it cannot be known: a rule that it would deny must not be passed by.
    late = refused(data, HeadReader(["PatientID"], study=False))
    assert (late.reason, late.instance) == (CANNOT_UNDERSTAND, NAMED)


def test_more_than_64_kib_are_neither_looked_at_nor_waited_for() -> None:
    behind = part10(
        element(0x00080016, "UI", SOP_CLASS)
        + element(0x00080018, "UI", INSTANCE)
        + element(0x00091001, "OB", b"\0" * 100_000)
        + element(0x00100020, "LO", "P1")
    )
    reader = HeadReader(["PatientID"], study=False)

    with pytest.raises(Refusal):
        reader.read(behind[:1000], complete=False)
    assert refused(behind, reader).instance == NAMED


@pytest.mark.parametrize(
    ("data", "reason", "instance"),
    [
        (b"", CANNOT_UNDERSTAND, ("", "")),
        (b"\x89PNG\r\n" * 99, CANNOT_UNDERSTAND, ("", "")),
        (FILE[:200], CANNOT_UNDERSTAND, ("", "")),
        (part10(b"\xff" * 99), CANNOT_UNDERSTAND, NAMED),
        (part10(b""), CANNOT_UNDERSTAND, NAMED),
        (part10(identity().replace(b"1.2.3.4.5\0", b"1.2.3.4.x\0")), CANNOT_UNDERSTAND, NAMED),
        (part10(deflated(b"junk"), "1.2.840.10008.1.2.1.99", packed=True), CANNOT_UNDERSTAND, NAMED),
        (part10(identity(), BIG_ENDIAN), SYNTAX_NOT_SUPPORTED, NAMED),
        (
            part10(identity(), BIG_ENDIAN).replace(INSTANCE.encode(), b"1.2.3..45"),
            SYNTAX_NOT_SUPPORTED,
            (SOP_CLASS, ""),
        ),
    ],
)
def test_what_cannot_be_understood_is_named_as_far_as_it_can_be(
    data: bytes, reason: int, instance: tuple[str, str]
) -> None:
    refusal = refused(data)

    assert (refusal.reason, refusal.instance) == (reason, instance)


@given(st.binary(max_size=600), st.booleans(), st.booleans())
def test_any_bytes_are_a_head_or_a_refusal_or_too_few(data: bytes, dressed: bool, complete: bool) -> None:
    try:
        READER.read(part10(data) if dressed else data, complete=complete)
    except Refusal:
        pass
    except NeedMore:
        assert not complete
