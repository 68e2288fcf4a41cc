"""The door to the DICOMweb root: from an ASGI request to a routed Inbound, and its Reply back onto the wire.

The order is law 8: framing and limits were checked before; here come identity (the client's address),
then routing, and only then anything that looks for bytes."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from starlette.types import Receive, Scope, Send

from edgerouter import metrics
from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import ContentTooLarge, Cut, NotFound
from edgerouter.http.fields import Fields
from edgerouter.http.forwarded import Trust, client_address, public_base
from edgerouter.http.reply import Reply
from edgerouter.routing.facts import Asked, asked
from edgerouter.routing.router import Route, Router
from edgerouter.server import Outcome, RequestBody, connection_of, send_reply
from edgerouter.server.body import MINIMUM_RATE, WINDOW
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.service import Service


@dataclass(frozen=True, slots=True)
class Doorway:
    """Where the door stands: paths as configured, times in seconds, sizes in bytes."""

    base_path: str
    public_url: str | None
    trusted: Trust
    max_body: int
    write_timeout: float
    min_upload_rate: float = MINIMUM_RATE  # bytes per second
    upload_window: float = WINDOW


class Door:
    """The ASGI application of the DICOMweb root; expects the guarded protocol and the middleware round it."""

    def __init__(self, way: Doorway, router: Router, service: Service) -> None:
        self._way = way
        self._router = router
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with metrics.ACTIVE.track_inprogress():
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        request = self._asked(scope)
        inbound, body = self._inbound(scope, receive, request)
        _note(scope["state"], f"{self._way.base_path}{request.resource.template}", inbound)
        route = self._route(request, inbound)
        try:
            async with connection_of(scope).while_here():
                reply = await self._service.answer(inbound, route)
            await self._send(reply, scope, send, request.transaction, began)
        finally:
            metrics.RECEIVED_BYTES.labels(request.transaction).inc(body.size)

    async def _send(
        self, reply: Reply, scope: Scope, send: Send, transaction: Transaction, began: float
    ) -> None:
        waited = time.monotonic() - began
        sent = await send_reply(reply, scope, send, write_timeout=self._way.write_timeout)
        if sent.ttfb is not None:
            metrics.FIRST_BYTE_SECONDS.labels(transaction).observe(waited + sent.ttfb)
        if sent.outcome is Outcome.CUT:
            scope["state"]["error"] = Cut.token

    def _asked(self, scope: Scope) -> Asked:
        target: str = scope["edgerouter.raw_target"]
        base = self._way.base_path
        rest = target[len(base) :]
        if not target.startswith(base) or (rest and rest[0] not in "/?"):
            raise NotFound("Nothing is served here; the DICOMweb root is elsewhere.")
        return asked(scope["method"], rest)

    def _route(self, request: Asked, inbound: Inbound) -> Route:
        """The route by the rules; raises Denied."""
        client = ip_address(inbound.client) if inbound.client else None
        facts = request.facts(now=datetime.now(UTC), fields=inbound.fields, client=client)
        return self._router.route(facts)

    def _inbound(self, scope: Scope, receive: Receive, request: Asked) -> tuple[Inbound, RequestBody]:
        """The request, and its body, of which nothing was read; raises BadRequest and ContentTooLarge."""
        way, fields = self._way, Fields.from_raw(scope["headers"])
        body = RequestBody(
            scope,
            receive,
            max_body=way.max_body,
            minimum_rate=way.min_upload_rate,
            window=way.upload_window,
        )
        storing = request.transaction is Transaction.STORE
        if storing and (body.length or 0) > way.max_body:
            # Before an upstream is asked, and before the client is told to continue.
            raise ContentTooLarge(f"The upload is larger than {way.max_body} bytes.", close=True)
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
        inbound = Inbound(
            method=scope["method"],
            transaction=request.transaction,
            resource=request.resource,
            query=request.query,
            fields=fields,
            client=client_address(peer, fields, way.trusted),
            public=public,
            request_id=scope["state"].get("request_id", ""),
            body=body if storing else None,
            # RFC 9112 §6.3: without either field there is no content.
            body_length=body.length if "transfer-encoding" in fields else body.length or 0,
            via=scope["state"].get("via", ""),
        )
        return inbound, body


def _note(state: dict[str, Any], template: str, inbound: Inbound) -> None:
    """What the access log and the metrics may know (law 12)."""
    state["template"] = template
    state["transaction"], state["resource"] = inbound.transaction, inbound.resource.kind
    state["client"] = inbound.client
