"""Strict imitations of archive products: each does what its product documents, and refuses the rest.

    azure = Azure([study("1.2")])
    async with ScriptedUpstream(azure) as at, edge_over(at, settings={"profile": "azure"}) as edge:
        await edge.ask("/studies?PatientName=*DOE*", JSON)
        assert azure.refused == []

They share nothing with the router: what a product says is written down here a second time.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import unquote

from tests.support.hospital import Row, Study, attribute, value
from tests.support.steps import Reply, Seen, Step

JSON = "application/dicom+json"
KEYWORDS = {
    "StudyInstanceUID": "0020000D",
    "SeriesInstanceUID": "0020000E",
    "SOPInstanceUID": "00080018",
    "StudyDate": "00080020",
    "StudyTime": "00080030",
    "AccessionNumber": "00080050",
    "Modality": "00080060",
    "ModalitiesInStudy": "00080061",
    "ReferringPhysicianName": "00080090",
    "StudyDescription": "00081030",
    "ManufacturerModelName": "00081090",
    "TimezoneOffsetFromUTC": "00080201",
    "PatientName": "00100010",
    "PatientID": "00100020",
    "IssuerOfPatientID": "00100021",
    "PatientBirthDate": "00100030",
    "StudyID": "00200010",
    "InstitutionName": "00080080",
    "SeriesDescription": "0008103E",
}
UIDS = frozenset({"0020000D", "0020000E", "00080018"})


_TAG = re.compile(r"[0-9A-F]{8}\Z")


class Refusal(Exception):
    """What the product does not do; `status` is what it says."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.why, self.status = why, status


def tags(*keywords: str) -> frozenset[str]:
    return frozenset(KEYWORDS[keyword] for keyword in keywords)


@dataclass
class Product:
    """The common part: raw queries taken apart, rows matched and cut. `refused` says why, each time."""

    studies: Sequence[Study]
    asked: list[Seen] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    known: ClassVar[frozenset[str] | None] = None
    ranges: ClassVar[frozenset[str]] = tags("StudyDate")
    parameters: ClassVar[frozenset[str]] = frozenset({"limit", "offset", "includefield", "fuzzymatching"})
    limits: ClassVar[Mapping[str, tuple[int, int]]] = {}
    """Collection → what it gives when no limit is asked, and the most it takes."""
    defaults: ClassVar[Mapping[str, frozenset[str]] | None] = None
    """Collection → what it returns unasked; None for all."""

    def __call__(self, request: Seen) -> Iterable[Step]:
        self.asked.append(request)
        path, _, query = request.target.partition("?")
        parts = path.removeprefix("/dw").strip("/").split("/")
        try:
            return [self.answer(request, parts, query)]
        except Refusal as refusal:
            self.refused.append(refusal.why)
            return [Reply(refusal.status, body=b"{}", fields=[("Content-Type", "application/json")])]

    def targets(self, word: str = "") -> list[str]:
        found = [unquote(request.target.removeprefix("/dw")) for request in self.asked]
        return [target for target in found if word in target]

    def answer(self, request: Seen, parts: list[str], query: str) -> Reply:
        if parts[-1] not in ("studies", "series", "instances") or request.method != "GET":
            return Reply(404)
        self.check_accept(request, parts)
        return self.search(parts, query)

    def check_accept(self, request: Seen, parts: list[str]) -> None:
        """Raise Refusal for an Accept that the product does not read."""

    def search(self, parts: list[str], query: str) -> Reply:
        collection = parts[-1]
        self.check_path(parts)
        keys, parameters = self.read(query)
        for tag, _ in keys:
            if tag not in self.known_at(parts):
                raise Refusal(f"key {tag} for {'/'.join(parts)}")
        limit, offset = self.page(collection, parameters)
        rows = [row for row in self.rows(parts) if self.matches(row, keys)]
        page = rows[offset : offset + limit] if limit is not None else rows[offset:]
        kept = self.returned(collection) | {tag for tag, _ in keys} | set(self.fields(parameters))
        shown = [self.shown(row, kept) for row in page]
        return self.reply(shown, len(rows) - offset - len(page))

    def check_path(self, parts: list[str]) -> None:
        """Raise Refusal for a collection that the product does not search."""

    def read(self, query: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Keys (tag, raw value) and parameters (name, raw value); raises Refusal."""
        keys: list[tuple[str, str]] = []
        parameters: list[tuple[str, str]] = []
        for piece in filter(None, query.split("&")):
            name, _, text = piece.partition("=")
            tag = KEYWORDS.get(name) or (name if _TAG.match(name) else "")
            if name in self.parameters:
                parameters.append((name, text))
            elif not tag:
                raise Refusal(f"unknown parameter {name}")
            elif self.known is not None and tag not in self.known:
                raise Refusal(f"unknown key {name}")
            else:
                self.check_value(name, tag, text)
                keys.append((tag, text))
        return keys, parameters

    def known_at(self, parts: list[str]) -> frozenset[str]:
        """The keys that may be sent to a collection."""
        return (
            self.known if self.known is not None else frozenset(KEYWORDS.values()) | self.returned(parts[-1])
        )

    def check_value(self, name: str, tag: str, text: str) -> None:
        """Raise Refusal for a value that the product does not take."""

    def page(self, collection: str, parameters: list[tuple[str, str]]) -> tuple[int | None, int]:
        given = dict(parameters)
        usual, most = self.limits.get(collection, (None, None))
        limit = int(given["limit"]) if "limit" in given else usual
        if most is not None and limit is not None and not 1 <= limit <= most:
            raise Refusal(f"limit {limit}")
        return limit, int(given.get("offset", 0))

    def fields(self, parameters: list[tuple[str, str]]) -> Iterator[str]:
        for name, text in parameters:
            if name == "includefield":
                yield from self.listed(text)

    def listed(self, text: str) -> Iterator[str]:
        """The attributes of one includefield."""
        tag = KEYWORDS.get(text, text)
        if len(tag) != 8:
            raise Refusal(f"includefield {text}")
        yield tag

    def matches(self, row: Row, keys: list[tuple[str, str]]) -> bool:
        """Each key for itself."""
        return all(self.holds(row, *key) for key in keys)

    def holds(self, row: Row, tag: str, text: str) -> bool:
        """Whether a row has the value, whole, or in the range."""
        wanted = unquote(text)
        found = [str(one.get("Alphabetic") if isinstance(one, dict) else one) for one in values(row, tag)]
        if tag in self.ranges and "-" in wanted:
            first, _, last = wanted.partition("-")
            return any((not first or first <= one) and (not last or one <= last) for one in found)
        return self.equal(tag, wanted, found)

    def equal(self, tag: str, wanted: str, found: list[str]) -> bool:
        return wanted in found

    def returned(self, collection: str) -> set[str]:
        every = {tag for study in self.studies for row in self._levels(study) for tag in row}
        return set(self.defaults[collection]) if self.defaults else every

    def shown(self, row: Row, kept: set[str]) -> Row:
        return {tag: one for tag, one in row.items() if tag in kept}

    def reply(self, rows: list[Row], left: int) -> Reply:
        if not rows:
            return Reply(204)
        return Reply(body=json.dumps(rows).encode(), fields=[("Content-Type", JSON)])

    def rows(self, parts: Sequence[str]) -> list[Row]:
        """All of a collection, each with what is above it."""
        named = dict(zip(parts[:-1:2], parts[1::2], strict=False))
        found: list[Row] = []
        for study in self.studies:
            if named.get("studies", study.uid) != study.uid:
                continue
            if parts[-1] == "studies":
                found.append(study.row())
            for series in study.series_rows():
                of_series = {**study.row(), **series}
                if named.get("series", value(series, "0020000E")) != value(series, "0020000E"):
                    continue
                if parts[-1] == "series":
                    found.append(of_series)
                if parts[-1] == "instances":
                    found += ({**of_series, **one} for one in _instances(study, value(series, "0020000E")))
        return [dict(sorted(row.items())) for row in found]

    def _levels(self, study: Study) -> Iterator[Row]:
        yield study.row()
        yield from study.series_rows()
        yield from study.instance_rows()


def values(row: Mapping[str, Any], tag: str) -> list[Any]:
    return list(row.get(tag, {}).get("Value", ()))


def _instances(study: Study, series: str) -> Iterator[Row]:
    return (row for row in study.instance_rows() if value(row, "0020000E") == series)


def study(
    uid: str,
    name: str = "DOE^JANE",
    patient: str = "7",
    date: str = "20200101",
    time: str = "120000",
    *,
    modality: str = "CT",
    series: Mapping[str, Sequence[str]] | None = None,
    **more: Any,
) -> Study:
    """A study with what work lists show."""
    given = {
        "00080020": attribute("DA", date),
        "00080030": attribute("TM", time),
        "00080050": attribute("SH", f"A{uid}"),
        "00081030": attribute("LO", more.pop("description", "CHEST")),
        "00100030": attribute("DA", "19600101"),
        "00100010": attribute("PN", {"Alphabetic": name}),
        "00100020": attribute("LO", patient),
        **{tag[1:]: one for tag, one in more.items()},
    }
    return Study(uid, given, series or {f"{uid}.1": (f"{uid}.1.1",)}, modality)
