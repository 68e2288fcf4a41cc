"""AWS HealthImaging, by its developer guide."""

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import unquote

from tests.products.product import JSON, Product, Refusal, tags
from tests.support.steps import Seen


class Aws(Product):
    known = tags(
        "StudyDate",
        "AccessionNumber",
        "ModalitiesInStudy",
        "ReferringPhysicianName",
        "PatientName",
        "PatientID",
        "StudyInstanceUID",
        "StudyID",
        "Modality",
        "SeriesInstanceUID",
        "SOPInstanceUID",
    )
    parameters: ClassVar[frozenset[str]] = frozenset({"limit", "offset"})
    limits: ClassVar[Mapping[str, tuple[int, int]]] = dict.fromkeys(
        ("studies", "series", "instances"), (100, 1000)
    )
    series_tags = tags("SeriesInstanceUID", "Modality") | {"00201209"}
    defaults: ClassVar[Mapping[str, frozenset[str]] | None] = {
        "studies": known | tags("StudyTime") | {"00201206", "00201208"},
        "series": series_tags,
        "instances": tags("SOPInstanceUID") | {"00200013"},
    }

    def check_accept(self, request: Seen, parts: list[str]) -> None:
        if request.get("accept") != JSON:
            raise Refusal(f"Accept {request.get('accept')}", 406)

    def check_path(self, parts: list[str]) -> None:
        """Series of a study, instances of a series: nothing is searched across."""
        if len(parts) != {"studies": 1, "series": 3, "instances": 5}[parts[-1]]:
            raise Refusal(f"relational search of {parts[-1]}", 404)

    def check_value(self, name: str, tag: str, text: str) -> None:
        wanted = unquote(text)
        if not wanted or any(sign in wanted for sign in "*?,\\"):
            raise Refusal(f"value of {name}")
