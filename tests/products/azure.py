"""Azure DICOM service, by its conformance statement of version 2."""

import json
from collections.abc import Iterator, Mapping
from typing import ClassVar
from urllib.parse import unquote

from tests.products.product import JSON, KEYWORDS, Product, Refusal, tags
from tests.support.steps import Reply, Seen

_STUDY = tags(
    "StudyDate",
    "AccessionNumber",
    "StudyDescription",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "StudyInstanceUID",
)
_SERIES = tags("SeriesInstanceUID", "Modality", "ManufacturerModelName")
FRAMES = (
    'multipart/related; type="application/octet-stream"; transfer-syntax=*',
    'multipart/related; type="application/octet-stream"',
    'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1',
    'multipart/related; type="image/jp2"',
    'multipart/related; type="image/jp2"; transfer-syntax=1.2.840.10008.1.2.4.90',
    "application/octet-stream; transfer-syntax=*",
)


class Azure(Product):
    known = _STUDY | tags(
        "ModalitiesInStudy", "SeriesInstanceUID", "Modality", "ManufacturerModelName", "SOPInstanceUID"
    )
    ranges = tags("StudyDate", "PatientBirthDate")
    limits: ClassVar[Mapping[str, tuple[int, int]]] = dict.fromkeys(
        ("studies", "series", "instances"), (100, 200)
    )
    defaults: ClassVar[Mapping[str, frozenset[str]] | None] = {
        "studies": _STUDY,
        "series": tags("SeriesInstanceUID", "Modality", "ManufacturerModelName", "StudyInstanceUID"),
        "instances": tags("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"),
    }
    stored: ClassVar[Mapping[str, object]] = {}

    def known_at(self, parts: list[str]) -> frozenset[str]:
        """As its table of searchable attributes has it."""
        study, series = _STUDY | tags("ModalitiesInStudy"), _SERIES
        own = {"studies": frozenset[str](), "series": series, "instances": series | tags("SOPInstanceUID")}
        if len(parts) == 1:
            return study | own[parts[0]]
        return tags("SOPInstanceUID") if len(parts) == 5 else own[parts[-1]]

    def check_accept(self, request: Seen, parts: list[str]) -> None:
        if request.get("accept") != JSON:
            raise Refusal(f"Accept {request.get('accept')}", 406)

    def answer(self, request: Seen, parts: list[str], query: str) -> Reply:
        if "frames" in parts:
            return self._frames(request)
        if parts[-1] == "metadata":
            self.check_accept(request, parts)
            return Reply(body=json.dumps([self.studies[0].row()]).encode(), fields=[("Content-Type", JSON)])
        return super().answer(request, parts, query)

    def _frames(self, request: Seen) -> Reply:
        if request.get("accept") not in FRAMES:
            raise Refusal(f"Accept {request.get('accept')}", 406)
        syntax = b"application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
        part = b"\r\n--b\r\nContent-Type: " + syntax + b"\r\n\r\npixels"
        fields = [("Content-Type", 'multipart/related; type="application/octet-stream"; boundary=b')]
        return Reply(body=part + b"\r\n--b--\r\n", fields=fields)

    def read(self, query: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        keys, parameters = super().read(query)
        if len({tag for tag, _ in keys}) < len(keys):
            raise Refusal("a key twice")
        return keys, parameters

    def check_value(self, name: str, tag: str, text: str) -> None:
        if not text:
            raise Refusal(f"empty value of {name}")
        if tag in self.ranges and unquote(text) == "-":
            raise Refusal(f"range of {name}")

    def listed(self, text: str) -> Iterator[str]:
        """One attribute; several in one includefield it does not know."""
        if "," in unquote(text) or len(KEYWORDS.get(text, text)) != 8:
            raise Refusal(f"includefield {text}")
        yield KEYWORDS.get(text, text)

    def equal(self, tag: str, wanted: str, found: list[str]) -> bool:
        """Case does not matter; an asterisk is an asterisk."""
        return wanted.lower() in [one.lower() for one in found]
