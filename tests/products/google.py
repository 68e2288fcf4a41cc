"""Google Cloud Healthcare API, by its conformance statement."""

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import unquote

from tests.products.product import UIDS, Product, Refusal, tags

_STUDY = tags(
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
)


class Google(Product):
    known = tags(
        "StudyInstanceUID",
        "PatientName",
        "PatientID",
        "AccessionNumber",
        "ReferringPhysicianName",
        "StudyDate",
        "SeriesInstanceUID",
        "Modality",
        "SOPInstanceUID",
    )
    limits: ClassVar[Mapping[str, tuple[int, int]]] = {
        "studies": (100, 5000),
        "series": (100, 5000),
        "instances": (1000, 50000),
    }
    defaults: ClassVar[Mapping[str, frozenset[str]] | None] = {
        "studies": _STUDY,
        "series": tags("SeriesInstanceUID", "Modality"),
        "instances": tags("SOPInstanceUID"),
    }

    def check_value(self, name: str, tag: str, text: str) -> None:
        wanted = unquote(text)
        if (
            not wanted
            or "*" in wanted
            or "?" in wanted
            or (tag in UIDS and ("," in wanted or "\\" in wanted))
        ):
            raise Refusal(f"value of {name}")
