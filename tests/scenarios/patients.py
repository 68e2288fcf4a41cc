"""An archive whose metadata tells the truth about its files, and whose patient may be renamed; and a clock
that can be put forward.

    pacs = Registry(slices=3)
    pacs.rename("Doe^Jane")
    clock.forward(hours=25)
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pydicom
import pytest

from tests.dicom.build import element, part10
from tests.scenarios.pacs import SERIES, STUDY, Pacs, instance
from tests.support.scripted import Reply as Scripted
from tests.support.scripted import Seen, Step

SIDE = 20  # rows and columns of its slices


@dataclass
class Registry(Pacs):
    """Single-frame slices of one patient. `tags` are entity tags by path, where it has any; `down` refuses
    everything with that status."""

    name: str = "Muster^Max"
    frames: int = 1
    size: int = 2 * SIDE * SIDE
    tags: dict[str, str] = field(default_factory=dict)
    down: int = 0

    def rename(self, name: str) -> None:
        self.name = name
        self.__dict__.pop("files", None)

    @property
    def described(self) -> list[dict[str, Any]]:
        return [self.row(number) for number in self.numbers]

    def file_of(self, number: int) -> bytes:
        attributes = (
            (0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2"),
            (0x00080018, "UI", instance(number)),
            (0x00080020, "DA", self.date),
            (0x00080060, "CS", "CT"),
            (0x00100010, "PN", self.name),
            (0x00100020, "LO", "PAT1"),
            (0x0020000D, "UI", STUDY),
            (0x0020000E, "UI", SERIES),
            (0x00280002, "US", (1).to_bytes(2, "little")),
            (0x00280004, "CS", "MONOCHROME2"),
            (0x00280010, "US", SIDE.to_bytes(2, "little")),
            (0x00280011, "US", SIDE.to_bytes(2, "little")),
            (0x00280100, "US", (16).to_bytes(2, "little")),
            (0x00280101, "US", (16).to_bytes(2, "little")),
            (0x00280102, "US", (15).to_bytes(2, "little")),
            (0x00280103, "US", (0).to_bytes(2, "little")),
        )
        head = b"".join(element(tag, vr, value) for tag, vr, value in attributes)
        return part10(head + element(0x7FE00010, "OW", self.pixels(number)))

    def row(self, number: int) -> dict[str, object]:
        data_set = pydicom.dcmread(BytesIO(self.files[number - 1]))
        link = f"{self.base or 'http://pacs.internal:8042/dw'}{self.instance(number)}/bulk/7fe00010"
        row: dict[str, object] = data_set.to_json_dict(0, lambda element: link)
        return {tag: attribute for tag, attribute in row.items() if not tag.startswith("0002")}

    @property
    def files(self) -> list[bytes]:
        found: list[bytes] | None = self.__dict__.get("files")
        if found is None:
            found = self.__dict__["files"] = [self.file_of(number) for number in self.numbers]
        return found

    def __call__(self, seen: Seen) -> Iterable[Step]:
        if self.down:
            self.seen.append(seen)
            return [Scripted(self.down)]
        path = seen.target.removeprefix("/dw").partition("?")[0]
        tag = self.tags.get(path)
        self.fields = [("ETag", tag)] if tag else []
        asked = dict(seen.fields).get("If-None-Match") or dict(seen.fields).get("if-none-match")
        if tag and asked == tag:
            self.seen.append(seen)
            return [Scripted(304, fields=[("ETag", tag)])]
        return super().__call__(seen)


class Clock:
    """The time of day as the router sees it."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._real = time.time

    def forward(self, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        self._ahead += 60 * (minutes + 60 * (hours + 24 * days))

    def __call__(self) -> float:
        return self._real() + self._ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock


def name_in(file: bytes) -> str:
    return str(pydicom.dcmread(BytesIO(file)).PatientName)


def name_of(row: Any) -> str:
    return str(json.loads(json.dumps(row))["00100010"]["Value"][0]["Alphabetic"])
