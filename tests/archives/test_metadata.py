"""Metadata through the router is the archive's, to the byte, but for the links: those name the router."""

import json
from typing import Any

import pytest
from defusedxml import ElementTree
from dicomweb_client.api import DICOMwebClient

from edgerouter.dicomweb.same_header import same_header
from edgerouter.dicomweb.xml_to_json import xml_to_json
from tests.support.archives import Archives
from tests.support.doors import DICOM_JSON, DICOM_XML, OCTETS, Door
from tests.support.samples import CHEST

pytestmark = pytest.mark.archives

# Between them: links at depth 0 and inside sequences, arrays of floats, big integers, odd characters.
NAMES = ["CT_small.dcm", "examples_overlay.dcm", "waveform_ecg.dcm", "rtplan.dcm", "reportsi.dcm", "6293"]
LEVELS = ["study", "series", "instance"]


def paths(archives: Archives, name: str) -> dict[str, str]:
    sample = archives.sample(name)
    series = sample.resource.partition("/instances/")[0]
    return {"study": f"/studies/{sample.study}", "series": series, "instance": sample.resource}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_json_is_the_same_bytes_but_for_links(
    door: Door, direct: Door, archives: Archives, name: str, level: str
) -> None:
    path = f"{paths(archives, name)[level]}/metadata"
    here, there = door.ask(path, DICOM_JSON), direct.ask(path, DICOM_JSON)
    assert (here.status, here.get("content-type")) == (200, DICOM_JSON)
    assert door.rows(here) == direct.rows(there)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_xml_is_the_same_bytes_but_for_links(
    door: Door, direct: Door, archives: Archives, request: pytest.FixtureRequest, name: str, level: str
) -> None:
    """A router that keeps writes it itself, out of the JSON: it says the same as that."""
    path = f"{paths(archives, name)[level]}/metadata"
    here = door.ask(path, DICOM_XML).parts
    assert here[0].fields["content-type"] == "application/dicom+xml"
    if "[cache-" in request.node.name:
        rows = [json.dumps(row).encode() for row in direct.ask(path, DICOM_JSON).json]
        assert len(here) == len(rows)
        assert all(same_header(xml_to_json(part.body), row) for part, row in zip(here, rows, strict=True))
        return
    there = direct.ask(path, DICOM_XML).parts
    assert [door.unlinked(part.body) for part in here] == [direct.unlinked(part.body) for part in there]


def test_dicomweb_client_reads_every_level_alike(door: Door, direct: Door, archives: Archives) -> None:
    sample = archives.sample("examples_overlay.dcm")

    def study(client: DICOMwebClient) -> Any:
        return client.retrieve_study_metadata(sample.study)

    def series(client: DICOMwebClient) -> Any:
        return client.retrieve_series_metadata(sample.study, sample.series)

    def instance(client: DICOMwebClient) -> Any:
        return [client.retrieve_instance_metadata(sample.study, sample.series, sample.instance)]

    for call in (study, series, instance):
        assert door.outcome(call) == direct.outcome(call)


def test_the_metadata_of_200_slices_is_the_same(door: Door, direct: Door) -> None:
    path = f"/studies/{CHEST.study}/series/{CHEST.series}/metadata"
    rows = door.rows(door.ask(path, DICOM_JSON))
    assert len(rows) == 200
    assert rows == direct.rows(direct.ask(path, DICOM_JSON))


def test_it_is_gzipped_for_those_who_accept_it(door: Door) -> None:
    path = f"/studies/{CHEST.study}/series/{CHEST.series}/metadata"
    packed = door.ask(path, DICOM_JSON, fields={"Accept-Encoding": "gzip"})
    assert packed.get("content-encoding") == "gzip"
    assert len(packed.body) < 100_000


def test_every_bulkdata_uri_names_the_door_and_works(door: Door, archives: Archives) -> None:
    metadata = door.ask(f"{archives.sample('examples_overlay.dcm').resource}/metadata", DICOM_JSON).json
    links = list(_links(metadata))
    assert len(links) == 7  # four of them in a sequence
    for link in links:
        assert link.startswith(f"{door.base}/studies/")
        assert door.ask(link, OCTETS).parts


def test_every_link_in_xml_names_the_door_and_works(door: Door, archives: Archives) -> None:
    reply = door.ask(f"{archives.sample('examples_overlay.dcm').resource}/metadata", DICOM_XML)
    values = ElementTree.fromstring(reply.parts[0].body).findall(".//{*}BulkData")
    links = [value.get("URI") or value.get("uri") or "" for value in values]
    assert len(links) == 7
    for link in links:
        assert door.ask(link, OCTETS).parts


@pytest.mark.parametrize(
    "path", ["/studies/1.2.3", "/studies/1.2.3/series/4.5", f"/studies/{CHEST.study}/series/4.5"]
)
def test_what_is_not_there_is_not_found(door: Door, path: str) -> None:
    assert door.ask(f"{path}/metadata", DICOM_JSON).status == 404


def _links(value: Any) -> Any:
    if isinstance(value, list):
        for item in value:
            yield from _links(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from [item] if key == "BulkDataURI" else _links(item)
