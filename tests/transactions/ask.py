"""Short ways for these tests: a routed request, hospitals behind the seam, and an answer read to its end."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.routing.facts import asked
from edgerouter.routing.router import Route
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.search import Settings
from edgerouter.transactions.service import Service
from edgerouter.upstream.profiles import STANDARD, Profile
from tests.support.hospital import JSON, Hospital, MemoryArchive, value

PUBLIC = "https://edge.example/dicomweb"
BOX = TokenBox(b"0" * 32)


def inbound(
    target: str = "/studies",
    *,
    method: str = "GET",
    accept: str = JSON,
    client: str = "192.0.2.1",
    fields: Sequence[tuple[str, str]] = (),
) -> Inbound:
    request = asked(method, target)
    given = Fields([("accept", accept), *fields])
    return Inbound(method, request.transaction, request.resource, request.query, given, client, PUBLIC, "id")


def archives(*hospitals: Hospital, profile: Profile = STANDARD) -> dict[str, MemoryArchive]:
    return {hospital.name: MemoryArchive(hospital, profile) for hospital in hospitals}


@dataclass(frozen=True)
class Got:
    """An answer that was read to its end."""

    status: int
    fields: Fields
    body: bytes

    @property
    def rows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.body)
        return found

    @property
    def uids(self) -> list[str]:
        """The StudyInstanceUIDs, in their order."""
        return [value(row, "0020000D") for row in self.rows]

    @property
    def warnings(self) -> list[str]:
        """The texts of the warnings, whose agent has to be us."""
        lines = self.fields.all("warning")
        assert all(line.startswith(f"299 {PUBLIC}: ") for line in lines), lines
        return [line.removeprefix(f"299 {PUBLIC}: ") for line in lines]


async def got(reply: Reply) -> Got:
    body = reply.body if isinstance(reply.body, bytes) else b"".join([chunk async for chunk in reply.body])
    if reply.length is not None:
        assert reply.length == len(body)
    coded = reply.fields.get("content-encoding") == "gzip"
    return Got(reply.status, reply.fields, gzip.decompress(body) if coded else body)


@dataclass
class House:
    """The transactions over hospitals, asked as the door asks them."""

    archives: Mapping[str, MemoryArchive]
    service: Service

    @classmethod
    def over(
        cls, *hospitals: Hospital, profile: Profile = STANDARD, search: Settings | None = None
    ) -> "House":
        found = archives(*hospitals, profile=profile)
        return cls(found, Service(found, BOX, search=search))

    def route(self, *, deadline: float = 5.0, strict: bool = False, **more: Any) -> Route:
        return Route(tuple(self.archives), None, deadline, strict, **more)

    async def ask(self, request: Inbound | str, route: Route | None = None) -> Got:
        """One request, by way of its default route over all; raises what is no answer."""
        given = inbound(request) if isinstance(request, str) else request
        return await got(await self.service.answer(given, route or self.route()))
