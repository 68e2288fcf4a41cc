"""A DICOMweb endpoint as a client finds it: the archive's own, or the router's in front of it.

Acceptance tests ask both the same and compare. Links differ on purpose, so `unlinked` puts one word in
place of either base URL.
"""

import gzip
import http.client
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import msgspec
import requests
from dicomweb_client.api import DICOMwebClient

OCTETS = 'multipart/related; type="application/octet-stream"'
OCTETS_AS_STORED = f"{OCTETS}; transfer-syntax=*"
DICOM = 'multipart/related; type="application/dicom"'
DICOM_AS_STORED = f"{DICOM}; transfer-syntax=*"
DICOM_JSON = "application/dicom+json"
DICOM_XML = 'multipart/related; type="application/dicom+xml"'
_RETRIEVE_URL = re.compile(rb'"00081190"\s*:\s*\{[^{}]*("ROOT[^"]*")[^{}]*\}')
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')


class Part(NamedTuple):
    """One part of a multipart answer: its fields (names in lower case) and its bytes."""

    fields: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def get(self, name: str) -> str | None:
        """A field's values, joined."""
        return ", ".join(value for key, value in self.fields if key.lower() == name) or None

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def parts(self) -> list[Part]:
        """The parts of a multipart body. Raises AssertionError when the closing boundary is missing."""
        boundary = _BOUNDARY.search(self.get("content-type") or "")
        assert boundary, f"not multipart: {self.status} {self.get('content-type')}"
        _, *parts = (b"\r\n" + self.body).split(b"\r\n--" + boundary[1].encode())
        assert parts[-1].startswith(b"--"), "the closing boundary is missing"
        return [_part(part) for part in parts[:-1]]


def until_hit(ask: Callable[[], Reply], what: str) -> None:
    """Ask until the answer is a hit: what came is a unit some moments after its last byte has left."""
    for _ in range(200):
        reply = ask()
        if "edgerouter; hit" in (reply.get("cache-status") or ""):
            return
        assert reply.status == 200, what
        time.sleep(0.01)
    raise AssertionError(f"{what} is not kept")


def _part(text: bytes) -> Part:
    head, _, body = text.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    fields = (line.partition(":") for line in head.decode("latin-1").split("\r\n"))
    return Part({name.lower(): value.strip() for name, _, value in fields}, body)


class Door:
    """A DICOMweb root to ask: with dicomweb-client, or in plain HTTP.

    `wado_uri` is the URL of its WADO-URI service, `keeps` whether it is a router's with a cache. Use it as a
    context: it closes its connections.
    """

    def __init__(self, base: str, wado_uri: str, *, keeps: bool = False) -> None:
        self.base = base
        self.keeps = keeps
        self.wado_uri = wado_uri
        self._session = requests.Session()
        self._session.trust_env = False
        self.client = DICOMwebClient(base, session=self._session, permissive_uid=True)
        self.client.set_http_retry_params(retry=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._session.close()

    def ask(
        self,
        target: str,
        accept: str | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
        fields: dict[str, str] | None = None,
    ) -> Reply:
        """One request for a path below the root (or a whole URL), on a connection of its own."""
        url = urlsplit(target if "://" in target else self.base + target)
        connection = http.client.HTTPConnection(url.netloc, timeout=30)
        accepted = {"Accept": accept} if accept is not None else {}
        try:
            path = f"{url.path}?{url.query}" if url.query else url.path
            connection.request(method, path, body, {**accepted, **(fields or {})})
            answer = connection.getresponse()
            return Reply(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def plain(self, reply: Reply) -> Reply:
        """The same answer without its content coding."""
        if reply.get("content-encoding") != "gzip":
            return reply
        return Reply(reply.status, reply.fields, gzip.decompress(reply.body))

    def unlinked(self, text: bytes) -> bytes:
        """A text in which the own base URL is the word ROOT."""
        # dicomweb-client leaves the port out of Host, and an archive's links then go without it too.
        url = urlsplit(self.base)
        portless = f"{url.scheme}://{url.hostname}{url.path}"
        return text.replace(self.base.encode(), b"ROOT").replace(portless.encode(), b"ROOT")

    def rows(self, reply: Reply) -> list[bytes]:
        """The elements of a JSON array exactly as they were written, but for their links."""
        text = _RETRIEVE_URL.sub(rb'"00081190": \1', self.unlinked(reply.body))
        return [bytes(row).strip() for row in msgspec.json.decode(text, type=list[msgspec.Raw])]

    def outcome(self, call: Callable[[DICOMwebClient], Any]) -> Any:
        """What a call of dicomweb-client gives, without links; the status when it is refused,
        "cut" when the answer breaks off."""
        try:
            given = call(self.client)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return "cut"
        except requests.HTTPError as error:
            return error.response.status_code if error.response is not None else error
        if isinstance(given, list) and given and isinstance(given[0], dict):
            return json.loads(self.unlinked(json.dumps(given).encode()))
        return given
