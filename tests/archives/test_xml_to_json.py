"""What a real archive tells in XML and what it tells in JSON are one header, once its XML is JSON.

This Orthanc writes DS and FD in single precision into XML, and does not escape carriage returns, which XML
then reads as line feeds. Both are left out here; it means that JSON must not be derived from its XML.
"""

import json
from typing import Any

import pytest

from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.same_header import same_header
from edgerouter.dicomweb.xml_to_json import xml_to_json
from tests.support.archives import Archives
from tests.support.doors import DICOM_JSON, DICOM_XML, Door

pytestmark = pytest.mark.archives


def imprecise_left_out(row: Any) -> Any:
    if isinstance(row, list):
        return [imprecise_left_out(value) for value in row]
    if not isinstance(row, dict):
        return row
    kept = row.items()
    return {
        key: imprecise_left_out(value)
        for key, value in kept
        if not (isinstance(value, dict) and value.get("vr") in ("DS", "FD"))
    }


def test_the_rows_of_every_sample_are_one_header(direct: Door, archives: Archives) -> None:
    different = set()
    samples = {sample.series: sample for sample in archives.in_a}  # one of each series
    for sample in samples.values():
        path = f"{sample.resource}/metadata"
        (document,) = direct.ask(path, DICOM_XML).parts
        (row,) = ArraySplitter().feed(direct.ask(path, DICOM_JSON).body)
        one, other = (
            json.dumps(imprecise_left_out(json.loads(text)))
            .replace(r"\r\n", r"\n")
            .replace(r"\r", r"\n")
            .encode()
            for text in (xml_to_json(document.body), row)
        )
        if not same_header(one, other):
            different.add(sample.path.name)
    assert different == set()
