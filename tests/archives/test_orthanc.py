"""The archives of the suite are real, loaded as the tests think, and can be stopped, paused and emptied."""

import threading
from pathlib import Path

import pytest

from tests.support.archives import NAMESAKE, SPLIT_A, SPLIT_B, VISITOR, Archives
from tests.support.doors import DICOM_JSON, Door
from tests.support.orthanc import ADVICE, Orthanc, OrthancFailed, OrthancMissing
from tests.support.samples import CHEST, SeriesSpec, wheel_samples, write_series

pytestmark = pytest.mark.archives

TINY = SeriesSpec("tiny", "EDGE-TINY", "Phantom^Tiny", slices=2, size=32)


def test_both_hold_what_they_should(archives: Archives) -> None:
    for orthanc, samples in ((archives.a, archives.in_a), (archives.b, archives.in_b)):
        assert orthanc.refused == {}
        assert orthanc.count()["CountInstances"] == len(samples)
        assert orthanc.count()["CountStudies"] == len({sample.study for sample in samples})


def test_their_studies_overlap_collide_and_are_split(archives: Archives) -> None:
    shared = archives.studies_a & archives.studies_b
    assert len(shared - {SPLIT_A.study}) == 3
    assert archives.studies_b - archives.studies_a == {VISITOR.study, NAMESAKE.study}
    assert CHEST.study not in archives.studies_b
    assert SPLIT_A.study == SPLIT_B.study in shared
    [namesake] = {sample.patient_id for sample in archives.in_b if sample.study == NAMESAKE.study}
    assert namesake == archives.sample("CT_small.dcm").patient_id


def test_some_samples_of_the_wheel_are_refused(tmp_path: Path) -> None:
    broken = {"MR_truncated.dcm", "rtplan_truncated.dcm"}
    files = [it.path for it in wheel_samples() if it.path.name in broken]
    with Orthanc("refusing", tmp_path) as orthanc:
        refused = orthanc.load(files)
    assert {path.name for path in refused} == broken
    assert all("invalid DICOM file" in reason for reason in refused.values())


def test_what_was_stored_survives_a_restart_on_the_same_port(tmp_path: Path) -> None:
    files = write_series(tmp_path / "files", TINY)
    orthanc = Orthanc("restarted", tmp_path / "orthanc").start()
    orthanc.load(it.path for it in files)
    url = orthanc.url
    orthanc.stop()
    with orthanc:
        assert orthanc.url == url
        assert orthanc.raw(files[0].instance) == files[0].path.read_bytes()
        orthanc.delete_study(TINY.study)
        with pytest.raises(OrthancFailed, match="has no Instance"):
            orthanc.raw(files[0].instance)


def test_a_paused_archive_answers_when_it_is_resumed(tmp_path: Path) -> None:
    with Orthanc("paused", tmp_path) as orthanc, Door(orthanc.dicomweb_url, "") as door:
        orthanc.pause()
        answered = threading.Event()

        def ask() -> None:
            assert door.ask("/studies", DICOM_JSON).json == []
            answered.set()

        thread = threading.Thread(target=ask)
        thread.start()
        assert not answered.wait(0.2)
        orthanc.resume()
        assert answered.wait(20)
        thread.join()


def test_without_orthanc_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.orthanc.PLUGIN", Path("/nowhere"))
    with pytest.raises(OrthancMissing) as missing:
        Orthanc("missing", Path("/nowhere")).start()
    assert str(missing.value) == ADVICE
    assert "\n" not in ADVICE
    assert "apt-get install orthanc orthanc-dicomweb" in ADVICE
