"""AWS HealthImaging, by its developer guide."""

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import unquote

from tests.products.product import JSON, Product, Refusal, tags
from tests.support.steps import Reply, Seen

PARTS = "multipart/related"


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

    def answer(self, request: Seen, parts: list[str], query: str) -> Reply:
        return (
            self._frames(request, parts[-1]) if "frames" in parts else super().answer(request, parts, query)
        )

    def _frames(self, request: Seen, listed: str) -> Reply:
        """Stored or uncompressed, and no number twice."""
        numbers = listed.split(",")
        if len(set(numbers)) < len(numbers):
            raise Refusal("a frame twice")
        if request.get("accept") != f'{PARTS}; type="application/octet-stream"; transfer-syntax=*':
            raise Refusal(f"Accept {request.get('accept')}", 406)
        label = b"Content-Type: image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202"
        parts = (b"\r\n--b\r\n" + label + b"\r\n\r\nframe " + number.encode() for number in numbers)
        fields = [("Content-Type", f'{PARTS}; type="application/octet-stream"; boundary=b')]
        return Reply(body=b"".join(parts) + b"\r\n--b--\r\n", fields=fields)

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
