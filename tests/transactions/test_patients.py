"""The mapping file is read again when it changes; a bad one leaves the running one in place and says so."""

import asyncio
import os
from pathlib import Path

import pytest

from edgerouter.dicomweb.patients import Patient
from edgerouter.metrics import MAPPING_READS, total
from edgerouter.transactions import patients as module
from edgerouter.transactions.patients import PERIOD, Patients
from tests.transactions.test_locations import Clock

GOOD = "HOSP-A,7,HOSP-B,99\n"
SEVEN = Patient("HOSP-A", "7")


async def known(patients: Patients) -> str | None:
    """By which ID B knows A's patient 7."""
    return (await patients.now()).persons.id_in("HOSP-B", SEVEN)


async def test_without_a_file_nobody_is_cross_referenced() -> None:
    assert await known(Patients({})) is None


async def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "mapping.csv"
    file.write_text(GOOD)
    patients = Patients({}, None, file, clock)
    assert await known(patients) == "99"
    file.write_text(GOOD.replace("99", "100"))

    assert await known(patients) == "99"  # it is not looked at for every search
    clock.now += PERIOD
    assert await known(patients) == "100"


async def test_a_file_that_stays_is_not(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "mapping.csv"
    file.write_text(GOOD)
    patients = Patients({}, None, file, clock)
    before = total(MAPPING_READS, outcome="read")
    for _ in range(3):
        await patients.now()
        clock.now += PERIOD

    assert total(MAPPING_READS, outcome="read") == before + 1


@pytest.mark.parametrize("how", ["wrong", "not utf-8", "gone", "too large"])
async def test_a_bad_file_leaves_the_running_one_in_place_and_says_so(
    how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, file = Clock(), tmp_path / "mapping.csv"
    file.write_text(GOOD)
    patients = Patients({}, None, file, clock)
    await patients.now()
    refused = total(MAPPING_READS, outcome="refused")
    if how == "gone":
        file.unlink()
    elif how == "too large":
        monkeypatch.setattr(module, "MAX_FILE", 5)
        os.utime(file, (1, 1))
    else:
        file.write_bytes(b"HOSP-A,SECRET\n" if how == "wrong" else b"HOSP-A,\xff,HOSP-B,1\n")
    clock.now += PERIOD

    assert await known(patients) == "99"
    assert total(MAPPING_READS, outcome="refused") == refused + 1
    assert "is not used, 2 patients stay cross-referenced" in caplog.text
    assert "SECRET" not in caplog.text
    file.write_text(GOOD.replace("99", "100"))
    monkeypatch.undo()
    clock.now += PERIOD
    assert await known(patients) == "100"


async def test_the_first_searches_wait_for_the_file_and_later_ones_for_nothing(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "mapping.csv"
    file.write_text(GOOD)
    patients = Patients({}, None, file, clock)

    assert await asyncio.gather(*(known(patients) for _ in range(5))) == ["99"] * 5
    clock.now += PERIOD
    async with patients._reading:  # somebody is at it
        assert await known(patients) == "99"
