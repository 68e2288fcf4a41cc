"""The samples are what they say, and the same in every run."""

import io
from pathlib import Path

import pydicom

from tests.support.samples import BigSeries, SeriesSpec, one_of_each, wheel_samples, write_series

SMALL = SeriesSpec("small", "P1", "Small^One", slices=3, size=32)


def test_the_wheel_gives_one_file_for_each_instance() -> None:
    samples = one_of_each(wheel_samples())
    assert len(samples) > 100
    assert len({sample.instance for sample in samples}) == len(samples)
    assert {"CT_small.dcm", "rtdose.dcm", "SC_rgb_rle_2frame.dcm"} <= {it.path.name for it in samples}


def test_a_generated_series_is_the_same_bytes_in_every_run(tmp_path: Path) -> None:
    once, again = (write_series(tmp_path / name, SMALL) for name in ("once", "again"))
    assert [it.path.read_bytes() for it in once] == [it.path.read_bytes() for it in again]


def test_the_slices_of_a_series_differ(tmp_path: Path) -> None:
    slices = [pydicom.dcmread(it.path) for it in write_series(tmp_path, SMALL)]
    assert len({it.PixelData for it in slices}) == len({it.SOPInstanceUID for it in slices}) == 3
    assert {(it.Rows, it.BitsAllocated, it.StudyDate) for it in slices} == {(32, 16, "20100304")}


def test_two_series_can_share_a_study() -> None:
    one, two = (SeriesSpec(seed, "P", "N", study_seed="both") for seed in ("one", "two"))
    assert one.study == two.study
    assert one.series != two.series


def test_a_big_series_is_as_big_as_asked_and_every_file_is_whole() -> None:
    series = BigSeries(2_000_000)
    files = list(series.files())
    assert sum(map(len, files)) >= 2_000_000
    assert {len(file) for file in files} == {series.instance_size}
    read = [pydicom.dcmread(io.BytesIO(file)) for file in files]
    assert [it.SOPInstanceUID for it in read] == [series.instance(n + 1) for n in range(series.count)]
    assert all(it.SOPInstanceUID == it.file_meta.MediaStorageSOPInstanceUID for it in read)
