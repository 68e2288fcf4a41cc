"""All that an index wants to know of one file, in one bounded pass.

Made for a worker process (law 13): a path in, plain values out. A hostile file costs that pass its limits
and ends as Part10Error.
"""

import re
from dataclasses import replace
from typing import NamedTuple

from edgerouter.dicom import source, text
from edgerouter.dicom.dataset import Attribute, DataSet, read_data_set
from edgerouter.dicom.dictionary import hex_tag, public_vr, tag_of
from edgerouter.dicom.elements import Element
from edgerouter.dicom.frame_table import FrameTable
from edgerouter.dicom.frames import FACTS, TABLES, Found, pixel_table
from edgerouter.dicom.json_model import BulkURI, Row, encode, to_json, to_row
from edgerouter.dicom.part10 import (
    MODALITY,
    SERIES_INSTANCE,
    SOP_CLASS,
    SOP_INSTANCE,
    STUDY_INSTANCE,
    is_uid,
    read_meta,
    texts,
)
from edgerouter.dicom.source import Inflated, Part10Error, Source
from edgerouter.dicom.syntaxes import TransferSyntax

_WHERE = re.compile(r"[0-9A-F]{8}(?:/[1-9][0-9]{0,8}/[0-9A-F]{8}){0,32}\Z")


def _tags(*keywords: str) -> tuple[int, ...]:
    return tuple(tag for tag in map(tag_of, keywords) if tag is not None)


# What every search answer at a level has, empty where the file has no value (PS3.18 Tables 10.6.3-3 to -5).
# What only an archive knows is not among it: counts, availability, retrieve URLs, the modalities of a study.
STUDY_REQUIRED = _tags(
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyID",
)
SERIES_REQUIRED = _tags("Modality", "SeriesInstanceUID", "SeriesNumber")
INSTANCE_REQUIRED = _tags("SOPClassUID", "SOPInstanceUID", "InstanceNumber")
# What it has where it is known. The descriptions and the issuer of the patient ID are beyond the tables:
# viewers list studies by the first, and a patient is (issuer, PatientID).
STUDY_KNOWN = _tags(
    "TimezoneOffsetFromUTC", "StudyDescription", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence"
)
SERIES_KNOWN = _tags(
    "TimezoneOffsetFromUTC",
    "SeriesDescription",
    "BodyPartExamined",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "RequestAttributesSequence",
)
INSTANCE_KNOWN = _tags("TimezoneOffsetFromUTC", "Rows", "Columns", "BitsAllocated", "NumberOfFrames")


class Description(NamedTuple):
    """One PS3.10 file, as an index keeps it.

    The rows are DICOM JSON objects of the attributes above that the file tells; `metadata` is the whole
    data set as one, its BulkDataURIs under `{bulk_base}/studies/…/instances/…/{word}/`. `frames` is a
    compact FrameTable, b"" when frames are not derivable. `size` is in bytes.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    modality: str
    transfer_syntax: str
    size: int
    study_row: bytes
    series_row: bytes
    instance_row: bytes
    metadata: bytes
    frames: bytes


class BulkValue(NamedTuple):
    """Where a bulk data value stands: its VR and the pieces to join.

    With `inflate_at` the offsets count in the inflated form of the deflate stream that begins there.
    """

    vr: str
    pieces: tuple[tuple[int, int], ...]
    inflate_at: int


def describe(path: str, bulk_base: str = "", word: str = "bulkdata") -> Description:
    """The description of the file at `path`; `bulk_base` is the DICOMweb root of its BulkDataURIs, `word`
    what stands in them between the instance and the place of the value.

    Raises Part10Error when it is no PS3.10 file we can read or lacks its UIDs, OSError when unreadable.
    """
    with source.opened(path) as descriptor:
        return describe_source(source.of_file(descriptor), bulk_base, word)


def describe_source(file: Source, bulk_base: str = "", word: str = "bulkdata") -> Description:
    """As describe, of a file that a source stands at the beginning of."""
    size = file.size
    data_set, syntax, table = _read(file)
    study, series, instance = (_uid(data_set, tag) for tag in (STUDY_INSTANCE, SERIES_INSTANCE, SOP_INSTANCE))
    root = f"{bulk_base}/studies/{study}/series/{series}/instances/{instance}/{word}/"
    bulk = root.__add__
    held: Row = {"00083002": {"vr": "UI", "Value": [syntax.uid]}}  # AvailableTransferSyntaxUID
    return Description(
        study=study,
        series=series,
        instance=instance,
        sop_class=_text(data_set, SOP_CLASS),
        modality=_text(data_set, MODALITY),
        transfer_syntax=syntax.uid,
        size=size,
        study_row=_row(data_set, bulk, STUDY_REQUIRED, STUDY_KNOWN),
        series_row=_row(data_set, bulk, SERIES_REQUIRED, SERIES_KNOWN),
        instance_row=_row(data_set, bulk, INSTANCE_REQUIRED, INSTANCE_KNOWN, held),
        metadata=to_json(data_set, bulk),
        frames=table.to_bytes() if table else b"",
    )


def locate_bulk(path: str, where: str) -> BulkValue | None:
    """The bulk data value at `where` (the end of a BulkDataURI, `00880200/1/7FE00010`) of the file at `path`.

    Of encapsulated pixels it is all fragments without item headers: the stream, for video. None when
    nothing there is given by reference. Raises Part10Error, OSError.
    """
    if not _WHERE.match(where):
        return None
    with source.opened(path) as descriptor:
        file = source.of_file(descriptor)
        _, syntax = read_meta(file)
        start = file.position if syntax.deflated else 0
        body = Inflated(file) if syntax.deflated else file
        data_set = read_data_set(body, explicit=syntax.explicit)
    attribute = _find(data_set, where.split("/"))
    if (
        attribute is None
        or attribute.items is not None
        or (attribute.raw is not None and not attribute.pieces)
    ):
        return None
    return BulkValue(attribute.vr, attribute.pieces, start)


def _find(data_set: DataSet, steps: list[str]) -> Attribute | None:
    attribute = data_set.get(int(steps[0], 16))
    if attribute is None or len(steps) == 1:
        return attribute
    number = int(steps[1])
    if attribute.items is None or not 1 <= number <= len(attribute.items):
        return None
    return _find(attribute.items[number - 1], steps[2:])


def _read(file: Source) -> tuple[DataSet, TransferSyntax, FrameTable | None]:
    _, syntax = read_meta(file)
    start = file.position
    body = Inflated(file) if syntax.deflated else file
    tables: list[FrameTable | None] = []

    def pixels(element: Element, before: DataSet) -> None:
        tables.append(pixel_table(body, element, syntax, _facts(before)))

    data_set = read_data_set(body, explicit=syntax.explicit, pixels=pixels, kept=TABLES)
    table = tables[0] if len(tables) == 1 else None
    if table is not None and syntax.deflated:
        table = replace(table, inflate_at=start)
    return data_set, syntax, table


def _facts(data_set: DataSet) -> Found:
    known = ((tag, data_set[tag]) for tag in FACTS if tag in data_set)
    return {tag: (attribute.vr, attribute.raw) for tag, attribute in known if attribute.raw is not None}


def _uid(data_set: DataSet, tag: int) -> str:
    uid = _text(data_set, tag)
    if not is_uid(uid):
        raise Part10Error("The data set lacks a valid Study, Series or SOP Instance UID.")
    return uid


def _text(data_set: DataSet, tag: int) -> str:
    attribute = data_set.get(tag)
    if attribute is None or attribute.raw is None:
        return ""
    return next(iter(texts(attribute.raw, attribute.vr, text.DEFAULT)), "")


def _row(
    data_set: DataSet,
    bulk: BulkURI,
    required: tuple[int, ...],
    known: tuple[int, ...],
    held: Row | None = None,
) -> bytes:
    row = to_row(data_set, bulk, required + known) | (held or {})
    for tag in required:
        row.setdefault(hex_tag(tag), {"vr": public_vr(tag)})
    return encode(dict(sorted(row.items())))
