"""Broken configurations and the reports people get of them, word for word."""

from pathlib import Path

import pytest

from edgerouter.config import ConfigError, load

GOLDEN = sorted(path for path in (Path(__file__).parent / "golden").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_every_mistake_is_in_one_report(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)

    with pytest.raises(ConfigError) as caught:
        load("edgerouter.yaml")

    assert f"{caught.value}\n" == (folder / "report.txt").read_text()


def test_there_are_eleven_of_them() -> None:
    assert len(GOLDEN) == 11


def test_no_report_repeats_a_secret_that_was_written_in_clear() -> None:
    reports = "".join((folder / "report.txt").read_text() for folder in GOLDEN)

    assert "hunter2" not in reports
    assert "edge:secret" not in reports
