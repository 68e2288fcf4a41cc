"""Retrieve from whoever holds it: the better holder first, the next when it fails before its first byte."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing

from edgerouter.dicomweb.resource import Kind, Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.dicomweb.wado_uri import read_wado_uri
from edgerouter.errors import NotFound, Overloaded, Received, RouterError, UpstreamError
from edgerouter.http.reply import Reply
from edgerouter.metrics import FAILOVERS
from edgerouter.routing.router import Route
from edgerouter.transactions.asking import wishes_of
from edgerouter.transactions.holders import Holders
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.locations import Locations
from edgerouter.transactions.probe import Subject
from edgerouter.transactions.relay import relay
from edgerouter.transactions.upstreams import Upstream

logger = logging.getLogger(__name__)

_ABSENT = (404, 410)


class Retrieve:
    """The Retrieve transaction and the URI service (PS3.18 §9, §10.4)."""

    def __init__(
        self, archives: Mapping[str, Upstream], box: TokenBox, locations: Locations, max_rows: int
    ) -> None:
        self._archives = archives
        self._box = box
        self._locations = locations
        self._holders = Holders(archives, locations)
        self._max_rows = max_rows

    async def answer(self, inbound: Inbound, route: Route) -> Reply:
        """The reply from the first holder that gives one; raises errors.RouterError.

        A 404 is said only when every possible holder said so (law 5)."""
        wishes_of(inbound)  # what nobody could serve is refused before anybody is asked
        able = self._able(inbound, route.upstreams)
        if not able:
            raise NotFound("No upstream of this route has the resource.")
        subject = _subject(inbound)
        failures: list[RouterError] = []
        async with aclosing(self._holders.of(subject, able, failures)) as candidates:
            async for archive in candidates:
                try:
                    reply = await relay(inbound, archive, self._box, self._max_rows)
                    if len(able) > 1 and inbound.method != "HEAD":
                        reply = await begun(reply)
                except (UpstreamError, Overloaded) as error:
                    failures.append(error)
                    self._missed(subject, archive.name, error)
                else:
                    if subject.study:
                        self._locations.learn(subject.study, subject.series, archive.name)
                    return reply
        raise verdict(failures)

    def _able(self, inbound: Inbound, upstreams: Sequence[str]) -> list[str]:
        able = [name for name in upstreams if self._archives[name].takes(inbound.transaction)]
        if inbound.resource.kind is not Kind.TOKEN:
            return able
        sealed = self._box.open(inbound.resource.tail.removeprefix("bulkdata/"))
        return [name for name in able if sealed and name == sealed[0]]

    def _missed(self, subject: Subject, name: str, error: RouterError) -> None:
        if isinstance(error, Received) and error.status in _ABSENT:
            self._locations.forget(subject.study, name)
        else:
            FAILOVERS.labels(name).inc()
            logger.info("upstream %s did not give what was asked: %s", name, error.detail)


def _subject(inbound: Inbound) -> Subject:
    if inbound.transaction is Transaction.WADO_URI:
        asked = read_wado_uri(inbound.query)
        return Subject(asked.study, asked.series, inbound.via)
    return Subject(inbound.resource.study or "", inbound.resource.series or "", inbound.via)


def verdict(failures: Sequence[RouterError]) -> RouterError:
    """What is said when no holder gave it: a failure outweighs a 404, and 404 outweighs 410."""
    broken = [error for error in failures if error.status not in _ABSENT]
    absent = [error for error in failures if error.status == 404]
    return next(iter([*broken, *absent, *failures]), NotFound("No archive of this route holds it."))


async def begun(reply: Reply) -> Reply:
    """The reply with its first bytes here: what fails before them can still be asked of another."""
    if not isinstance(reply.body, bytes):
        first = await anext(reply.body, b"")
        reply.body = _Begun(first, reply.body)
    return reply


class _Begun(AsyncIterator[bytes]):
    """A body whose first piece was read already."""

    def __init__(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self._first = first
        self._rest = rest

    async def __anext__(self) -> bytes:
        first, self._first = self._first, b""
        return first or await anext(self._rest)

    async def aclose(self) -> None:
        close = getattr(self._rest, "aclose", None)
        if close is not None:
            await close()
