"""The whole router in this process, on a real socket, over scripted upstreams.

    async with ScriptedUpstream(handler) as north, edge_over(north) as edge:
        reply = await edge.ask("/studies")
        ... reply.status, reply.json, reply.parts, edge.gone_wrong

Leaving `edge_over` checks that nothing is left over: no slot taken, no connection in use, no task.
"""

import asyncio
import gzip
import json
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgerouter.app import build
from edgerouter.cache.cache import Cache
from edgerouter.config import Config, load
from edgerouter.fittings import limits
from edgerouter.upstream.archive import HttpArchive
from tests.support.listening import Edge as Listening
from tests.support.listening import listening
from tests.support.raw_client import PATIENCE, RawClient, RawResponse
from tests.support.scripted import Close, ScriptedUpstream, Seen, Step
from tests.support.scripted import Reply as Scripted

ROOT = "/dicomweb"
NAMES = ("north", "south", "west", "east", "centre")
PUBLIC = f"http://edge.example{ROOT}"
OCTETS = 'multipart/related; type="application/octet-stream"'
DICOM = 'multipart/related; type="application/dicom"'
XML = 'multipart/related; type="application/dicom+xml"'
JSON = "application/dicom+json"
IMPATIENT = {"timeouts": {"first_byte": "300ms", "between_reads": "300ms", "store_answer": "300ms"}}

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Part:
    """One part of a multipart answer: its fields (names in lower case) and its bytes."""

    fields: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer, with its body read in the usual ways."""

    raw: RawResponse

    @property
    def status(self) -> int:
        return self.raw.status

    @property
    def body(self) -> bytes:
        """The content, without its coding."""
        coded = self.raw.get("content-encoding") == "gzip"
        return gzip.decompress(self.raw.body) if coded else self.raw.body

    @property
    def complete(self) -> bool:
        return self.raw.complete

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def parts(self) -> list[Part]:
        """The parts of a multipart body; fails when the closing boundary is missing."""
        boundary = (self.get("content-type") or "").partition("boundary=")[2]
        assert boundary, f"not multipart: {self.status} {self.get('content-type')}"
        first, *parts = (b"\r\n" + self.body).split(b"\r\n--" + boundary.encode())
        assert first == b""
        assert parts[-1] == b"--\r\n", "the closing boundary is missing"
        return [_part(part) for part in parts[:-1]]

    def get(self, name: str) -> str | None:
        return self.raw.get(name)

    def problem(self, status: int) -> str:
        """The detail of a problem document; fails when the answer is no whole error with that status."""
        assert (self.status, self.get("content-type")) == (status, "application/problem+json"), self.raw
        assert self.complete
        assert self.json["status"] == status
        assert self.json["instance"] == self.get("x-request-id")
        assert self.get("via") == "1.1 edgerouter"
        return str(self.json["detail"])


@dataclass(frozen=True)
class Edge:
    """The router: its port, and what stands behind it."""

    listening: Listening
    archives: Mapping[str, HttpArchive]
    cache: Cache | None = None

    @property
    def port(self) -> int:
        return self.listening.port

    async def ask(
        self,
        path: str,
        accept: str | None = None,
        *,
        method: str = "GET",
        fields: Fields = (),
        body: bytes = b"",
    ) -> Reply:
        """One request below the DICOMweb root, on a connection of its own."""
        accepted = [] if accept is None else [("Accept", accept)]
        async with RawClient(self.port) as client:
            target = f"{ROOT}{path}" if path.startswith(("/", "?")) or not path else path
            return Reply(await client.ask(target, method=method, fields=[*accepted, *fields], body=body))

    async def page(self, target: str, method: str = "GET") -> Reply:
        """One request outside the DICOMweb root."""
        async with RawClient(self.port) as client:
            return Reply(await client.ask(target, method=method))

    async def raw(self, data: bytes) -> bytes:
        """Exactly these bytes, and everything that comes back until the router ends the connection."""
        async with RawClient(self.port) as client:
            await client.send(data)
            return await client.read_to_end()

    async def kept(self) -> None:
        """Wait until what passed is kept."""
        async with asyncio.timeout(PATIENCE):
            while self.cache and self.cache.fills.live:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.001)

    async def nothing_left_over(self) -> None:
        """Wait for the answers under way; fails when one left something behind."""
        await self.listening.quiet()
        await self.kept()
        for archive in self.archives.values():
            assert (archive.limiter.busy, archive.limiter.waiting) == (0, 0)
            assert archive.transport.busy == 0


@asynccontextmanager
async def edge_over(
    *upstreams: ScriptedUpstream | str,
    settings: Mapping[str, Any] | None = None,
    server: Mapping[str, Any] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
    cache: Path | None = None,
) -> AsyncIterator[Edge]:
    """The router over upstreams named north, south, …, whose DICOMweb root is `/dw` and WADO-URI `/wado`.

    `settings` are merged into each upstream's section, None takes a key out; `server` is the server's.
    What passes is kept in the folder `cache`, if one is given."""
    sections = {
        name: _section(upstream, deepcopy(settings or {}))
        for name, upstream in zip(NAMES, upstreams, strict=False)
    }
    kept = {"path": str(cache or "none"), "size": "1 GB" if cache else "0 B", "min_free": "0 B"}
    config = _loaded({"server": dict(server or {}), "upstreams": sections, "cache": kept}, rules)
    app = build(config)
    async with (
        app.router.lifespan_context(app),
        listening(app, limits=limits(config.server)) as listener,
    ):
        edge = Edge(listener, app.state.archives, app.state.cache)
        yield edge
        await edge.nothing_left_over()


def _loaded(document: dict[str, Any], rules: Sequence[Mapping[str, Any]]) -> Config:
    with tempfile.TemporaryDirectory(prefix="edge") as folder:
        if rules:
            document["rules"] = ["rules.yaml"]
            Path(folder, "rules.yaml").write_text(json.dumps({"rules": list(rules)}))
        file = Path(folder, "edgerouter.yaml")
        file.write_text(json.dumps(document))  # YAML, without anchors for what several sections share
        return load(file)


def _section(upstream: ScriptedUpstream | str, settings: Mapping[str, Any]) -> dict[str, Any]:
    url = upstream if isinstance(upstream, str) else upstream.url
    own = {"url": f"{url}/dw", "wado_uri_url": f"{url}/wado", "aliases": ["http://pacs.internal:8042/dw"]}
    return {key: value for key, value in {**own, **settings}.items() if value is not None}


def answering(*steps: Step) -> ScriptedUpstream:
    """An upstream that answers every request with these steps."""

    def answer(request: Seen) -> list[Step]:
        ended = any(isinstance(step, Scripted) and step.framing == "close" for step in steps)
        return [*steps, Close()] if ended else list(steps)

    return ScriptedUpstream(answer)


def multipart(
    *parts: tuple[Fields, bytes], boundary: str = "theirs", closing: bool = True, newline: bytes = b"\r\n"
) -> bytes:
    """A multipart body as archives write it."""
    out = b""
    for fields, body in parts:
        head = b"".join(f"{name}: {value}".encode() + newline for name, value in fields)
        out += newline + b"--" + boundary.encode() + newline + head + newline + body
    return out + (newline + b"--" + boundary.encode() + b"--" + newline if closing else b"")


def related(root: str = "application/octet-stream", boundary: str = "theirs") -> tuple[str, str]:
    """The Content-Type field of such a body."""
    return ("Content-Type", f'multipart/related; type="{root}"; boundary={boundary}')


def _part(text: bytes) -> Part:
    head, _, body = text.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    fields = (line.partition(":") for line in head.decode("latin-1").split("\r\n"))
    return Part({name.lower(): value.strip() for name, _, value in fields}, body)
