"""A small archive of one study for tests of the cache: it answers as a conforming archive does, and its
knobs make it one that does not.

    pacs = Pacs(slices=3)
    async with keeping(pacs, folder=tmp_path) as edge:
        reply = await edge.ask(pacs.series, DICOM)
        assert [part.body for part in reply.parts] == pacs.files
        assert pacs.asked == [pacs.series]

`pacs.hold(path, at=100)` holds the answer to a path after that many bytes of its body, `pacs.cut(path,
Reset(), at=100)` breaks it off there, `pacs.say[path]` puts other steps in its place.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.dicom.build import element, image, part10
from tests.scenarios.edge import Edge, Fields, edge_over, multipart, related
from tests.scenarios.shapes import SHAPES
from tests.support.scripted import Close, Note, ScriptedUpstream, Seen, Send, Step, Wait
from tests.support.scripted import Reply as Scripted

HIT = "edgerouter; hit"
DERIVED = "edgerouter; hit; detail=derived"
MISS = "edgerouter; fwd=miss; stored"
PARTIAL = "edgerouter; fwd=partial; stored"
VALIDATED = "edgerouter; fwd=stale; detail=validated"
BYPASS = "edgerouter; fwd=bypass"
AS_STORED = "; transfer-syntax=*"
EXPLICIT = "1.2.840.10008.1.2.1"
RLE = "1.2.840.10008.1.2.5"
STUDY, SERIES = "1.2", "1.2.3"
UNCOMPRESSED = f"application/octet-stream; transfer-syntax={EXPLICIT}"
COMPRESSED = f"image/dicom-rle; transfer-syntax={RLE}"


def instance(number: int) -> str:
    return f"{SERIES}.{number}"


def attributes_of(
    number: int, *, study: str = STUDY, series: str = SERIES, date: str = "20100304"
) -> list[tuple[int, str, str]]:
    """What the header of an instance says."""
    return [
        (0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7"),
        (0x00080018, "UI", instance(number)),
        (0x00080020, "DA", date),
        (0x00080060, "CS", "OT"),
        (0x00100020, "LO", "PAT1"),
        (0x0020000D, "UI", study),
        (0x0020000E, "UI", series),
    ]


def file(
    pixels: bytes, number: int, *, study: str = STUDY, series: str = SERIES, date: str = "20100304"
) -> bytes:
    """A PS3.10 file whose pixels are these bytes, and no frames: what it says of them does not fit."""
    attributes = attributes_of(number, study=study, series=series, date=date)
    head = b"".join(element(tag, vr, value) for tag, vr, value in attributes)
    return part10(head + image() + element(0x7FE00010, "OW", pixels))


@asynccontextmanager
async def keeping(
    *archives: "Pacs",
    folder: Path,
    route: Mapping[str, Any] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
    **settings: Any,
) -> AsyncIterator[Edge]:
    """A router with a cache in `folder` over some archives: north, south, …

    `route` are keys of the last rule, behind `rules`; without them frames do not bring their instances."""
    names = ("north", "south", "west")[: len(archives)]
    consequence = {"upstreams": names, **({"promote": "no"} if route is None else route)}
    last = {"name": "last", "match": {"transaction": "retrieve"}, "route": consequence}
    async with AsyncExitStack() as stack:
        upstreams = [await stack.enter_async_context(ScriptedUpstream(pacs)) for pacs in archives]
        yield await stack.enter_async_context(
            edge_over(*upstreams, cache=folder / "cache", rules=[*rules, last], **settings)
        )


@dataclass
class Gate:
    """Where an answer stands until it is let go."""

    at: int
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Pacs:
    """`sized`: parts have a length; `located`: frames have a location; `listed`: instances can be searched
    for; `date` is the study's; `shape` is how its files hold their frames, "" that they hold none;
    `fields` are added to every answer. `asked` are the paths that were asked
    for, in order."""

    slices: int = 3
    only: Sequence[int] | None = None  # of the study, which instances it has: 1 to `slices`, or these
    frames: int = 4
    size: int = 1000
    sized: bool = True
    located: bool = True
    listed: bool = True
    framing: str = "length"
    date: str = "20100304"
    form: str = UNCOMPRESSED  # what its frames are
    shape: str = ""
    padding: int = 0  # bytes in front of the pixels
    order: Sequence[int] = ()  # in which a study or series comes, where that is another
    fields: list[tuple[str, str]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    say: dict[str, Callable[[Seen], Iterable[Step]]] = field(default_factory=dict)
    gates: dict[str, Gate] = field(default_factory=dict)
    cuts: dict[str, tuple[int, Step]] = field(default_factory=dict)
    base: str = ""  # its DICOMweb root, as it prints it; http://pacs.internal:8042/dw is known as an alias

    series = f"/studies/{STUDY}/series/{SERIES}"
    study = f"/studies/{STUDY}"

    def __post_init__(self) -> None:
        if self.shape:
            self.form = SHAPES[self.shape].form

    @property
    def asked(self) -> list[str]:
        return [seen.target.removeprefix("/dw").partition("?")[0] for seen in self.seen]

    @cached_property
    def files(self) -> list[bytes]:
        if not self.shape:
            return [file(self.pixels(number), number, date=self.date) for number in self.numbers]
        return [
            SHAPES[self.shape].file(
                attributes_of(number, date=self.date), self.all_frames(number), padding=bytes(self.padding)
            )
            for number in self.numbers
        ]

    @property
    def numbers(self) -> Sequence[int]:
        return range(1, self.slices + 1) if self.only is None else self.only

    def pixels(self, number: int) -> bytes:
        return b"".join(self.all_frames(number))

    def all_frames(self, number: int) -> list[bytes]:
        return [self.frame(number, frame) for frame in range(1, self.frames + 1)]

    def frame(self, number: int, frame: int) -> bytes:
        """The bytes of a frame: noise that differs for each."""
        noise = random.Random(1000 * number + frame).randbytes(self.size)
        return SHAPES[self.shape].frame(noise) if self.shape else noise

    def instance(self, number: int) -> str:
        """The path of an instance."""
        return f"{self.series}/instances/{instance(number)}"

    def row(self, number: int) -> dict[str, object]:
        """The metadata of an instance."""
        uids = {"00080018": instance(number), "0020000D": STUDY, "0020000E": SERIES}
        row: dict[str, object] = {tag: {"vr": "UI", "Value": [uid]} for tag, uid in uids.items()}
        link = f"{self.base or 'http://pacs.internal:8042/dw'}{self.instance(number)}/bulk/7fe00010"
        row["00080020"] = {"vr": "DA", "Value": [self.date]}
        if self.shape:
            row["00280008"] = {"vr": "IS", "Value": [self.frames]}
        return {**row, "7FE00010": {"vr": "OW", "BulkDataURI": link}}

    def hold(self, path: str, *, at: int) -> Gate:
        """Hold the answer to a path once so many bytes of its body are sent."""
        gate = self.gates[path] = Gate(at)
        return gate

    def cut(self, path: str, how: Step, *, at: int) -> None:
        """Break the next answer to a path off once so many bytes of its body are sent."""
        self.cuts[path] = (at, how)

    def __call__(self, seen: Seen) -> Iterable[Step]:
        self.seen.append(seen)
        path = self.asked[-1]
        if path in self.say:
            return self.say[path](seen)
        return self.answer(path)

    def answer(self, path: str) -> list[Step]:
        """The whole answer to a path."""
        if path in (self.study, self.series) and self.numbers:
            files = [self.files[self.numbers.index(number)] for number in self.order or self.numbers]
            return self.parts(path, [(self._label("application/dicom", file), file) for file in files])
        if path == "/studies" or path == f"{self.study}/series":
            return self.json(path, [self.row(self.numbers[0])] if self.numbers else [])
        if path in (f"{self.study}/instances", f"{self.series}/instances"):
            return self.json(path, [self.row(number) for number in self.numbers] if self.listed else [])
        if path in (f"{self.study}/metadata", f"{self.series}/metadata") and self.numbers:
            return self.json(path, [self.row(number) for number in self.numbers])
        for number in self.numbers:
            if f"{path}/".startswith(f"{self.instance(number)}/"):
                return self._of_instance(number, path, path.removeprefix(self.instance(number)))
        return [Scripted(404)]

    def parts(
        self, path: str, parts: Sequence[tuple[Fields, bytes]], root: str = "application/dicom"
    ) -> list[Step]:
        """A multipart answer."""
        return self.body(path, multipart(*parts), [related(root)])

    def json(self, path: str, rows: Sequence[object]) -> list[Step]:
        body = "[" + ",\n".join(json.dumps(row) for row in rows) + "]"
        return self.body(path, body.encode(), [("Content-Type", "application/dicom+json")])

    def body(self, path: str, body: bytes, fields: Fields) -> list[Step]:
        reply = Scripted(body=body, fields=[*fields, *self.fields], framing=self.framing)
        ending: list[Step] = [Close()] if self.framing == "close" else []
        raw = reply.render(0, "GET")
        head = raw.index(b"\r\n\r\n") + 4
        if path in self.cuts:
            at, how = self.cuts.pop(path)
            return [Send(raw[: head + at]), how]
        gate = self.gates.get(path)
        if gate is None:
            return [reply, *ending]
        at = head + gate.at
        return [Send(raw[:at]), Note(gate.reached.set), Wait(gate.open), Send(raw[at:]), *ending]

    def _of_instance(self, number: int, path: str, rest: str) -> list[Step]:
        if not rest:
            file = self.files[self.numbers.index(number)]
            return self.parts(path, [(self._label("application/dicom", file), file)])
        if rest == "/metadata":
            return self.json(path, [self.row(number)])
        if rest.startswith("/frames/") and rest.removeprefix("/frames/").replace(",", "").isdigit():
            return self._frames(number, path, [int(one) for one in rest.removeprefix("/frames/").split(",")])
        if rest in ("/rendered", "/thumbnail", "/frames/2/rendered"):
            return self.body(path, self.frame(number, 99), [("Content-Type", "image/jpeg")])
        if rest == "/bulk/7fe00010":
            pixels = self.pixels(number)
            return self.parts(
                path, [(self._label("application/octet-stream", pixels), pixels)], "application/octet-stream"
            )
        return [Scripted(404)]

    def _frames(self, number: int, path: str, frames: list[int]) -> list[Step]:
        if max(frames) > self.frames:
            return [Scripted(404)]
        parts = []
        for frame in frames:
            body = self.frame(number, frame)
            where = [("Content-Location", f"{self.instance(number)}/frames/{frame}")] if self.located else []
            parts.append(([*where, *self._label(self.form, body)], body))
        return self.parts(path, parts, "application/octet-stream")

    def _label(self, media: str, body: bytes) -> list[tuple[str, str]]:
        length = [("Content-Length", str(len(body)))] if self.sized else []
        return [("Content-Type", media), *length]
