"""One upload for two real archives: each gets exactly its instances, the client one answer."""

import os
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
import yaml
from requests import HTTPError

from tests.archives.test_memory import LIMIT, SIZE, connected, warm_up
from tests.support import memory
from tests.support.archives import Archives, Edge, edge_over
from tests.support.doors import DICOM_AS_STORED, DICOM_JSON, Door
from tests.support.firehose import BOUNDARY, Firehose
from tests.support.orthanc import Orthanc, OrthancFailed
from tests.support.relay import Cut, Fault
from tests.support.router import Router
from tests.support.samples import BigSeries, Sample, SeriesSpec, write_series

pytestmark = [pytest.mark.archives, pytest.mark.timeout(600)]

CT = SeriesSpec("routed ct", "EDGE-ROUTED", "Phantom^Routed", slices=4, size=512, study_seed="routed")
MR = SeriesSpec("routed mr", "EDGE-ROUTED", "Phantom^Routed", slices=3, size=256, study_seed="routed")
US = SeriesSpec("routed us", "EDGE-ROUTED", "Phantom^Routed", slices=1, size=64, study_seed="routed")
RULES = [
    {
        "name": "no-ultrasound",
        "match": {"transaction": "store", "dataset": {"Modality": "US"}},
        "deny": {"status": 403, "reason": "Ultrasound is stored elsewhere."},
    },
    {
        "name": "mr",
        "match": {"transaction": "store", "dataset": {"Modality": ["MR", "PT"]}},
        "route": {"upstreams": "b"},
    },
    {"name": "rest", "match": {"transaction": "store"}, "route": {"upstreams": "a"}},
]
NOT_AUTHORISED, FAILED, MISMATCH = 0x0124, 0x0110, 0xA901
STORE = 'multipart/related; type="application/dicom"; boundary=weasisDicomBoundary'


def rules_file(folder: Path, rules: object) -> dict[str, list[str]]:
    (folder / "rules.yaml").write_text(yaml.safe_dump({"rules": rules}))
    return {"rules": [str(folder / "rules.yaml")]}


@pytest.fixture
def sorting(archives: Archives, short_path: Path) -> Iterator[Edge]:
    overrides = rules_file(short_path, RULES)
    with edge_over(short_path, {"a": archives.a, "b": archives.b}, overrides) as edge:
        yield edge


@pytest.fixture
def door(sorting: Edge) -> Iterator[Door]:
    with Door(sorting.dicomweb, f"{sorting.dicomweb}/wado") as door:
        yield door


def series(folder: Path, spec: SeriesSpec, modality: str) -> list[Sample]:
    samples = write_series(folder / modality, spec)
    for sample in samples:
        image = pydicom.dcmread(sample.path)
        image.Modality = modality
        image.save_as(sample.path)
    return samples


@pytest.fixture
def study(archives: Archives, tmp_path: Path) -> Iterator[dict[str, list[Sample]]]:
    """Three series of one study, none of which is anywhere; what is stored of them is removed afterwards."""
    before = archives.a.count(), archives.b.count()
    yield {
        modality: series(tmp_path, spec, modality) for modality, spec in (("CT", CT), ("MR", MR), ("US", US))
    }
    for archive in (archives.a, archives.b):
        if instances_in(archive, [CT, MR, US]):
            archive.delete_study(CT.study)
    assert (archives.a.count(), archives.b.count()) == before


def instances_in(archive: Orthanc, specs: list[SeriesSpec]) -> list[str]:
    """Which instances of these series an archive has."""
    return [
        uid for spec in specs for uid in map(spec.instance, range(1, spec.slices + 1)) if has(archive, uid)
    ]


def has(archive: Orthanc, instance: str) -> bool:
    try:
        archive.raw(instance)
    except OrthancFailed:
        return False
    return True


def mixed(*series: list[Sample]) -> list[Sample]:
    """All of them, one of each in turn."""
    longest = max(map(len, series))
    return [samples[at] for at in range(longest) for samples in series if at < len(samples)]


def weasis(samples: list[Sample]) -> bytes:
    head = b"--weasisDicomBoundary\r\nContent-Type: application/dicom\r\n\r\n"
    parts = (head + sample.path.read_bytes() + b"\r\n" for sample in samples)
    return b"".join(parts) + b"--weasisDicomBoundary--"


def test_dicomweb_client_stores_one_study_into_two_archives(
    door: Door, archives: Archives, study: dict[str, list[Sample]]
) -> None:
    samples = mixed(study["CT"], study["MR"])
    answer = door.client.store_instances([pydicom.dcmread(sample.path) for sample in samples])

    stored = {item.ReferencedSOPInstanceUID: item.RetrieveURL for item in answer.ReferencedSOPSequence}
    assert stored == {sample.instance: f"{door.base}{sample.resource}" for sample in samples}
    assert answer.RetrieveURL == f"{door.base}/studies/{CT.study}"
    assert not answer.get("FailedSOPSequence")
    assert [archives.a.raw(it.instance) for it in study["CT"]] == [it.path.read_bytes() for it in study["CT"]]
    assert [archives.b.raw(it.instance) for it in study["MR"]] == [it.path.read_bytes() for it in study["MR"]]
    assert instances_in(archives.a, [MR]) == instances_in(archives.b, [CT]) == []
    [part] = door.ask(stored[study["CT"][0].instance], DICOM_AS_STORED).parts
    assert pydicom.dcmread(pydicom.filebase.DicomBytesIO(part.body)).SOPInstanceUID == study["CT"][0].instance


def test_weasis_stores_one_study_into_two_archives_and_reads_the_answer_as_xml(
    door: Door, archives: Archives, study: dict[str, list[Sample]]
) -> None:
    samples = mixed(study["MR"], study["CT"])
    fields = {"Content-Type": STORE}
    reply = door.ask("/studies", "application/dicom+xml", method="POST", body=weasis(samples), fields=fields)

    assert (reply.status, reply.get("content-type")) == (200, "application/dicom+xml")
    assert all(f"{door.base}{sample.resource}".encode() in reply.body for sample in samples)
    assert instances_in(archives.a, [CT, MR]) == [sample.instance for sample in study["CT"]]
    assert instances_in(archives.b, [CT, MR]) == [sample.instance for sample in study["MR"]]


def test_what_a_rule_denies_is_in_neither_and_what_is_of_another_study_neither(
    door: Door, archives: Archives, study: dict[str, list[Sample]], tmp_path: Path
) -> None:
    other = SeriesSpec("routed other", "EDGE-OTHER", "Phantom^Other", slices=1, size=64)
    [foreign] = write_series(tmp_path / "other", other)
    samples = [study["US"][0], study["CT"][0], foreign, study["MR"][0]]
    datasets = [pydicom.dcmread(sample.path) for sample in samples]

    answer = door.client.store_instances(datasets, CT.study)

    failed = {item.ReferencedSOPInstanceUID: item.FailureReason for item in answer.FailedSOPSequence}
    assert failed == {study["US"][0].instance: NOT_AUTHORISED, foreign.instance: MISMATCH}
    assert len(answer.ReferencedSOPSequence) == 2
    for archive, sample in ((archives.a, study["CT"][0]), (archives.b, study["MR"][0])):
        assert instances_in(archive, [CT, MR, US, other]) == [sample.instance]
    with pytest.raises(HTTPError, match="403"):
        door.client.store_instances(datasets[:1])


def test_while_one_archive_breaks_off_the_other_keeps_its_share(
    sorting: Edge, door: Door, archives: Archives, study: dict[str, list[Sample]]
) -> None:
    sorting.relays["b"].spoil(Fault(cut_at=0, how=Cut.RST), lambda exchange: exchange.method == "POST")

    answer = door.client.store_instances(
        [pydicom.dcmread(sample.path) for sample in mixed(study["CT"], study["MR"])]
    )

    failed = {item.ReferencedSOPInstanceUID: item.FailureReason for item in answer.FailedSOPSequence}
    assert failed == dict.fromkeys((sample.instance for sample in study["MR"]), FAILED)
    assert instances_in(archives.a, [CT]) == [sample.instance for sample in study["CT"]]


def test_what_one_archive_cannot_read_is_told_beside_what_the_other_stored(
    door: Door, archives: Archives, study: dict[str, list[Sample]], tmp_path: Path
) -> None:
    """Its head tells where it goes, but it ends in the middle of its pixels."""
    broken = study["MR"][0]
    broken.path.write_bytes(broken.path.read_bytes()[:-5000])
    fields = {"Content-Type": STORE}
    reply = door.ask(
        "/studies", DICOM_JSON, method="POST", body=weasis([broken, *study["CT"]]), fields=fields
    )

    assert (reply.status, len(reply.json["00081199"]["Value"])) == (202, len(study["CT"]))
    [failed] = reply.json["00081198"]["Value"]
    assert failed["00081155"]["Value"] == [broken.instance]
    assert instances_in(archives.b, [MR]) == []


@pytest.mark.parametrize("chunked", [False, True], ids=["with length", "in chunks"])
def test_a_big_store_for_two_passes_in_little_memory(short_path: Path, chunked: bool) -> None:
    """Every other instance goes to the other one."""
    big = BigSeries(SIZE)
    even = {"transaction": "store", "dataset": {"SOPInstanceUID": [f"*{digit}" for digit in (0, 2, 4, 6, 8)]}}
    overrides = rules_file(short_path, [{"name": "even", "match": even, "route": {"upstreams": "b"}}])
    with Firehose(big) as a, Firehose(big) as b:
        upstreams = {name: {"url": each.dicomweb_url} for name, each in (("a", a), ("b", b))}
        with Router(short_path, upstreams, overrides) as router:
            before = warm_up(router)
            fields = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}
            if not chunked:
                fields["Content-Length"] = str(a.size())
            with connected(router) as connection:
                connection.request("POST", "/dicomweb/studies", a.envelope(), fields, encode_chunked=chunked)
                answer = connection.getresponse()
                body = answer.read()
            grown = memory.peak(router.pid) - before
    assert (answer.status, body.count(b'"00081155"')) == (200, big.count)
    assert min(a.taken, b.taken) > SIZE // 3
    assert a.taken + b.taken > big.count * big.instance_size
    assert grown < LIMIT, f"grew by {grown / 1e6:.0f} MB while {(a.taken + b.taken) / 1e6:.0f} MB passed"
    if os.environ.get("EDGEROUTER_FULL") == "1":
        print(f"a store of {SIZE / 1e6:.0f} MB for two: resident memory grew by {grown / 1e6:.1f} MB")
