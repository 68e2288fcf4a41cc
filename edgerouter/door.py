"""The door to the DICOMweb root: from an ASGI request to a routed Inbound, and its Reply back onto the wire.

The order is law 8: framing and limits were checked before; here come identity (the client's address),
then routing, and only then anything that looks for bytes."""

import time
from dataclasses import dataclass
from datetime import datetime, tzinfo
from ipaddress import ip_address
from typing import Any

from starlette.types import Receive, Scope, Send

from edgerouter import metrics
from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import MethodNotAllowed, NotFound
from edgerouter.http.fields import Fields
from edgerouter.http.forwarded import Trust, client_address, public_base
from edgerouter.routing.facts import Asked, asked
from edgerouter.routing.router import Router
from edgerouter.server import Outcome, RequestBody, Sent, connection_of, send_reply
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.service import Service

METHODS = ("GET", "HEAD", "POST", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Doorway:
    """Where the door stands: paths as configured, times in seconds, sizes in bytes."""

    base_path: str
    public_url: str | None
    trusted: Trust
    max_body: int
    write_timeout: float
    zone: tzinfo | None = None


class Door:
    """The ASGI application of the DICOMweb root; expects the guarded protocol and the middleware round it."""

    def __init__(self, way: Doorway, router: Router, service: Service) -> None:
        self._way = way
        self._router = router
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        request = self._asked(scope)
        state: dict[str, Any] = scope["state"]
        state["template"] = f"{self._way.base_path}{request.resource.template}"
        state["transaction"], state["resource"] = request.transaction, request.resource.kind
        state["client"] = client_address(
            scope["client"][0] if scope["client"] else "",
            Fields.from_raw(scope["headers"]),
            self._way.trusted,
        )
        body = RequestBody(scope, receive, max_body=self._way.max_body)
        inbound = self._inbound(scope, request, body)
        route = self._router.route(
            request.facts(
                now=datetime.now(self._way.zone).astimezone(),
                fields=inbound.fields,
                client=ip_address(inbound.client) if inbound.client else None,
            )
        )
        async with connection_of(scope).while_here():
            reply = await self._service.answer(inbound, route)
        if request.transaction is Transaction.STORE and not body.consumed:
            reply.close = True
        sent = await send_reply(reply, scope, send, write_timeout=self._way.write_timeout)
        _count(request.transaction, body.size, sent, time.monotonic() - began)

    def _asked(self, scope: Scope) -> Asked:
        target: str = scope["edgerouter.raw_target"]
        base = self._way.base_path
        rest = target[len(base) :]
        if not target.startswith(base) or (rest and rest[0] not in "/?"):
            raise NotFound("Nothing is served here; the DICOMweb root is elsewhere.")
        if scope["method"] not in METHODS:
            raise MethodNotAllowed("The method is not supported.", allow=METHODS)
        return asked(scope["method"], rest)

    def _inbound(self, scope: Scope, request: Asked, body: RequestBody) -> Inbound:
        way, fields = self._way, Fields.from_raw(scope["headers"])
        peer = scope["client"][0] if scope["client"] else ""
        public = public_base(
            way.public_url,
            scheme=scope["scheme"],
            host=fields.get("host") or "",
            fields=fields,
            peer=peer,
            trusted=way.trusted,
            base_path=way.base_path,
        )
        storing = request.transaction is Transaction.STORE
        return Inbound(
            method=scope["method"],
            transaction=request.transaction,
            resource=request.resource,
            query=request.query,
            fields=fields,
            client=client_address(peer, fields, way.trusted),
            public=public,
            request_id=scope["state"].get("request_id", ""),
            body=body if storing else None,
            body_length=body.length if storing else None,
        )


def _count(transaction: Transaction, received: int, sent: Sent, seconds: float) -> None:
    metrics.REQUEST_SECONDS.labels(transaction).observe(seconds)
    if sent.ttfb is not None:
        metrics.FIRST_BYTE_SECONDS.labels(transaction).observe(sent.ttfb)
    metrics.SENT_BYTES.labels(transaction).inc(sent.bytes)
    metrics.RECEIVED_BYTES.labels(transaction).inc(received)
    if sent.outcome is not Outcome.COMPLETE:
        metrics.CUTS.labels(sent.outcome).inc()
