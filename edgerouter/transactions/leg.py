"""One destination's share of an upload: a streaming POST that is fed piece by piece, and what came of it."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import replace

from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.media import DICOM, JSON, XML, Wish, multipart_content_type
from edgerouter.dicomweb.store_merge import TargetAnswer
from edgerouter.dicomweb.store_response import StoreOutcome, StoreResponse, read_store_response
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.errors import Cut, ProtocolError, RouterError
from edgerouter.transactions.bodies import PIECE, faults_of
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.instance_head import Instance
from edgerouter.transactions.passage import request_fields
from edgerouter.transactions.store import module_of
from edgerouter.upstream.profiles import spell_accept
from edgerouter.upstream.seam import Answer, Archive, Outbound

OUT_OF_RESOURCES = 0xA700

logger = logging.getLogger(__name__)

_WANTED = (Wish(JSON), Wish(XML, q=0.5))
_FULL = (413, 429, 503, 507)


class Leg:
    """A multipart body on its way to one upstream, delimited by `boundary`.

    It runs in a task of its own from `start` on, while `put` feeds it. What goes wrong upstream stays in
    it: `put` drops then what it is given. A leg that is cancelled cuts its request, so that the upstream
    never sees it whole."""

    def __init__(self, inbound: Inbound, archive: Archive, box: TokenBox, boundary: str) -> None:
        self.name = archive.name
        self.instances: list[Instance] = []  # what it was sent, in order: for `told`
        self._archive = archive
        self._task: asyncio.Task[None] | None = None
        self._error: RouterError | None = None
        self._status = 0
        self._response: StoreResponse | None = None
        # One piece waits while another is written: whoever puts a third waits, too.
        self._pieces: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue(1)
        self._complete = False
        self._closed = False
        self._fed = 0.0
        self._outbound = self._request(inbound, boundary)
        self._links = LinkMap(archive.name, archive.bases, inbound.public, box, archive.url(self._outbound))

    def start(self, group: asyncio.TaskGroup) -> None:
        """Send the request, which `group` waits for."""
        self._task = group.create_task(self._run(), name=f"store to {self.name}")

    def cancel(self) -> None:
        """Cut the request."""
        if self._task is not None:
            self._task.cancel()

    async def put(self, data: bytes, *, last: bool = False) -> None:
        """Add to the body; waits until the upstream has taken what was put before."""
        if not self._closed:
            await self._pieces.put((data, last))
        self._fed = asyncio.get_running_loop().time()

    async def put_within(self, seconds: float, data: bytes) -> bool:
        """The same, but not longer than that; whether it was put."""
        try:
            async with asyncio.timeout(seconds):
                await self.put(data)
        except TimeoutError:
            return False
        return True

    @property
    def idle(self) -> float:
        """How many seconds ago it had nothing left to send."""
        return asyncio.get_running_loop().time() - self._fed if self._pieces.empty() else 0.0

    @property
    def trouble(self) -> str:
        """Why there is no word of its instances, for people; "" when there is."""
        if self._error:
            return self._error.detail
        return "" if self._response else f"The archive answered with status {self._status}."

    async def _run(self) -> None:
        try:
            async with self._archive.open(self._outbound) as answer:
                self._close()
                self._status = answer.status
                self._response = await self._read(answer)
        except RouterError as error:
            self._error, self._status = error, error.status
            logger.warning("upstream %s did not take its share of an upload: %s", self.name, error.detail)
        finally:
            self._close()

    def told(self) -> TargetAnswer:
        """What became of its instances; to be asked when the group has ended."""
        response = self._response
        if response is None and self._status in _FULL:
            failed = (StoreOutcome(*instance, failure=OUT_OF_RESOURCES) for instance in self.instances)
            response = StoreResponse(tuple(failed))
        return TargetAnswer(self._status, tuple(self.instances), response)

    def _request(self, inbound: Inbound, boundary: str) -> Outbound:
        resource = inbound.resource
        accept = spell_accept(self._archive.profile, resource.kind, resource.level, _WANTED)
        fields = request_fields(inbound, accept, coded=False)
        fields = fields.set("content-type", multipart_content_type(DICOM, boundary))
        return Outbound("POST", inbound.transaction, resource.path, fields=fields, body=self._body())

    async def _body(self) -> AsyncGenerator[bytes, None]:
        while not self._complete:
            # Complete before the last byte is out: an upstream may answer at once.
            data, self._complete = await self._pieces.get()
            yield data

    def _close(self) -> None:
        """Let nobody wait for a body that is not read any more."""
        self._closed = True
        while not self._pieces.empty():
            self._pieces.get_nowait()

    async def _read(self, answer: Answer) -> StoreResponse | None:
        """What it says of instances, with our links; None when it only refuses. Raises UpstreamError."""
        if 300 <= answer.status < 400:
            raise ProtocolError("The upstream redirects an upload.", upstream=self.name)
        if answer.status < 300 and not self._complete:
            raise ProtocolError("The upstream answered before it had the whole upload.", upstream=self.name)
        try:
            media, body = await module_of(answer, self.name)
            response = await self._parsed(media, body) if body else None
        except Cut:
            if answer.status < 300:
                raise
            return None  # a refusal is one even where its reasons got lost
        if response is None and answer.status < 300:
            what = "The upstream's answer does not say which instances it stored."
            raise ProtocolError(what, upstream=self.name)
        return response

    async def _parsed(self, media: str, body: bytes) -> StoreResponse | None:
        if len(body) <= PIECE:
            return self._mapped(media, body)
        return await asyncio.to_thread(self._mapped, media, body)

    def _mapped(self, media: str, body: bytes) -> StoreResponse | None:
        with faults_of(self.name):
            response = read_store_response(body, media)
        if not response.outcomes:
            return None
        map_url = self._links.map_here
        outcomes = tuple(
            replace(each, retrieve_url=map_url(each.retrieve_url)) if each.retrieve_url else each
            for each in response.outcomes
        )
        return StoreResponse(outcomes, map_url(response.retrieve_url) if response.retrieve_url else "")
