"""A made-up archive: studies with series and instances, searched and retrieved as DICOMweb has it, with the
habits and faults that real ones have. It says what an archive says and decides nothing about sockets:

    hospital = Hospital("north", [Study("1.2", {"00100020": attribute("LO", "7")}, {"1.2.1": ("1.2.1.1",)})])
    async with ScriptedUpstream(hospital) as upstream: ...      # on a real socket
    archive = MemoryArchive(hospital)                           # behind the archive seam, without one
"""

import gzip
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import RouterError
from edgerouter.http.fields import Fields
from edgerouter.upstream.profiles import STANDARD, Profile
from edgerouter.upstream.seam import Framing, Outbound
from tests.support.steps import Reply, Seen, Step

JSON = "application/dicom+json"
_KEYWORDS = {
    "StudyInstanceUID": "0020000D",
    "SeriesInstanceUID": "0020000E",
    "SOPInstanceUID": "00080018",
    "PatientID": "00100020",
    "IssuerOfPatientID": "00100021",
    "AccessionNumber": "00080050",
    "Modality": "00080060",
}
Row = dict[str, Any]


def attribute(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def value(row: Mapping[str, Any], tag: str) -> Any:
    """The first value of a row's attribute, None when it has none."""
    return next(iter(row.get(tag, {}).get("Value", ())), None)


@dataclass(frozen=True)
class Study:
    """One study as one archive has it: attributes of its row, and the instances of its series."""

    uid: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    series: Mapping[str, Sequence[str]] = field(default_factory=dict)
    modality: str = "CT"

    @property
    def count(self) -> int:
        return sum(map(len, self.series.values()))

    def row(self) -> Row:
        own = {
            "00080061": attribute("CS", self.modality),
            "0020000D": attribute("UI", self.uid),
            "00201206": attribute("IS", len(self.series)),
            "00201208": attribute("IS", self.count),
        }
        return dict(sorted({**own, **self.attributes}.items()))

    def series_rows(self) -> Iterator[Row]:
        for uid, instances in self.series.items():
            yield {
                "00080060": attribute("CS", self.modality),
                "0020000D": attribute("UI", self.uid),
                "0020000E": attribute("UI", uid),
                "00201209": attribute("IS", len(instances)),
            }

    def instance_rows(self) -> Iterator[Row]:
        for series, instances in self.series.items():
            for number, uid in enumerate(instances, start=1):
                yield {
                    "00080018": attribute("UI", uid),
                    "0020000D": attribute("UI", self.uid),
                    "0020000E": attribute("UI", series),
                    "00200013": attribute("IS", number),
                }


def studies(*uids: str, **attributes: Any) -> list[Study]:
    """Studies of one series of one instance, alike but for their UIDs."""
    given = {tag[1:]: each for tag, each in attributes.items()}
    return [Study(uid, given, {f"{uid}.1": (f"{uid}.1.1",)}) for uid in uids]


@dataclass
class Hospital:
    """Its answers; `trouble`, when set, is what it does instead of answering.

    `cap` rows are in one answer at most, with a Warning about the others if `warns`. It may not know
    `offset` or `limit`, or some match keys (tags). `no_match` is what it says when it has no rows."""

    name: str
    studies: Sequence[Study] = ()
    cap: int | None = None
    warns: bool = False
    takes_offset: bool = True
    takes_limit: bool = True
    ignores: frozenset[str] = frozenset()
    no_match: int = 204
    coded: bool = False
    warning: str = ""
    trouble: Iterable[Step] | RouterError | None = None
    asked: list[Seen] = field(default_factory=list)

    def __call__(self, request: Seen) -> Iterable[Step]:
        """What it says to a request on a socket."""
        self.asked.append(request)
        if self.trouble is not None:
            assert not isinstance(self.trouble, RouterError), "no error without a seam to raise it at"
            return self.trouble
        return [self.answer(request.target)]

    def targets(self, word: str = "") -> list[str]:
        """The targets of the requests it got, without the base, of those that contain a word."""
        found = [request.target.removeprefix("/dw") for request in self.asked]
        return [target for target in found if word in target]

    def answer(self, target: str) -> Reply:
        path, _, query = target.partition("?")
        parts = path.removeprefix("/dw").removeprefix("/wado").strip("/").split("/")
        given = dict(parse_qsl(query, keep_blank_values=True))
        if "requestType" in given:
            return self._file([given["studyUID"], given["seriesUID"], given["objectUID"]])
        if parts[-1] in ("studies", "series", "instances"):
            return self._search(parts, given)
        return self._retrieve(parts)

    def rows(self, parts: Sequence[str]) -> list[Row]:
        """What it has of a collection, given as its path's segments."""
        below = dict(zip(parts[:-1:2], parts[1::2], strict=False))
        found = [study for study in self.studies if below.get("studies", study.uid) == study.uid]
        if parts[-1] == "studies":
            return [study.row() for study in found]
        each = Study.series_rows if parts[-1] == "series" else Study.instance_rows
        rows = [row for study in found for row in each(study)]
        return [row for row in rows if value(row, "0020000E") == below.get("series", value(row, "0020000E"))]

    def _search(self, parts: Sequence[str], given: Mapping[str, str]) -> Reply:
        keys = {_KEYWORDS.get(name, name): text for name, text in given.items()}
        rows = self.rows(parts)
        for tag, text in keys.items():
            if tag in _KEYWORDS.values() and tag not in self.ignores:
                rows = [row for row in rows if str(value(row, tag)) in text.split(",")]
        rows = rows[int(given.get("offset", 0)) :] if self.takes_offset else rows
        limits = [int(given["limit"])] if self.takes_limit and "limit" in given else []
        limits += [self.cap] if self.cap is not None else []
        page = rows[: min(limits, default=len(rows))]
        return self._rows_reply(page, len(rows) - len(page))

    def _rows_reply(self, page: Sequence[Row], left: int) -> Reply:
        fields = [("Content-Type", JSON)]
        if self.warning:
            fields.append(("Warning", self.warning))
        if left and self.warns:
            fields.append(
                ("Warning", f'299 host:80 "There are {left} additional results that can be requested"')
            )
        if not page and self.no_match == 204:
            return Reply(204, fields=fields[1:])
        body = json.dumps(page).encode()
        if self.coded:
            fields.append(("Content-Encoding", "gzip"))
            body = gzip.compress(body)
        return Reply(body=body, fields=fields)

    def _retrieve(self, parts: Sequence[str]) -> Reply:
        if parts[-1] == "metadata":
            return replace(self._file(parts[1:-1:2]), body=b"[]", fields=[("Content-Type", JSON)])
        return self._file(parts[1:6:2])

    def _file(self, uids: Sequence[str]) -> Reply:
        """Its own name as the only part of a multipart, if it has what is asked; else 404."""
        rows = [value(row, "00080018") for row in self.rows(["instances"])]
        rows += [value(row, "0020000E") for row in self.rows(["series"])]
        rows += [value(row, "0020000D") for row in self.rows(["studies"])]
        if uids[-1] not in rows:
            return Reply(404)
        part = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + self.name.encode() + b"\r\n--b--\r\n"
        return Reply(
            body=part, fields=[("Content-Type", 'multipart/related; type="application/dicom"; boundary=b')]
        )


class _Answer:
    """See seam.Answer."""

    framing = Framing.LENGTH

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.fields = Fields(reply.fields)
        self.length: int | None = len(reply.body)
        self._body = reply.body

    async def chunks(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._body), 1000):
            yield self._body[at : at + 1000]


class MemoryArchive:
    """A hospital behind the archive seam, without a network between. Its `trouble` may be an error."""

    def __init__(self, hospital: Hospital, profile: Profile = STANDARD) -> None:
        self.hospital = hospital
        self.name = hospital.name
        self.profile = profile
        self.bases = (f"http://{hospital.name}/dw",)
        self.healthy = True
        self.waited: list[float] = []

    def overdue(self, seconds: float) -> None:
        self.waited.append(seconds)

    def takes(self, transaction: Transaction) -> bool:
        return True

    def url(self, outbound: Outbound) -> str:
        return f"{self.bases[0]}{outbound.path}"

    @asynccontextmanager
    async def open(self, outbound: Outbound) -> AsyncIterator[_Answer]:
        target = f"{outbound.path}?{outbound.query}" if outbound.query else outbound.path
        seen = Seen(len(self.hospital.asked), 0, outbound.method, target, list(outbound.fields))
        self.hospital.asked.append(seen)
        if isinstance(self.hospital.trouble, RouterError):
            raise self.hospital.trouble
        yield _Answer(self.hospital.answer(target))
