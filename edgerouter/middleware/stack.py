"""The one order in which a request passes the middleware (law 8)."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.types import ASGIApp

from edgerouter.middleware.access_log import AccessLog, Observer, unobserved
from edgerouter.middleware.cors import Cors
from edgerouter.middleware.errors import Errors
from edgerouter.middleware.request_id import RequestId
from edgerouter.middleware.target import TargetGuard
from edgerouter.middleware.via import LoopGuard, Via


@dataclass(frozen=True, slots=True)
class Settings:
    """`cors_origins` may read across origins; `instance` tells this router from others in Via."""

    cors_origins: Iterable[str] = ()
    observer: Observer = unobserved
    instance: str = field(default_factory=lambda: secrets.token_hex(4))


def wrap(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application behind all of it; what stands further in is written first.

    Every answer, errors and preflights included, is named, logged and marked; every answer but a
    preflight's own is opened to viewers; the guards refuse inside Errors, so that a refusal is an answer."""
    app = TargetGuard(app)
    app = LoopGuard(app, settings.instance)
    app = Errors(app)
    app = Cors(app, settings.cors_origins)
    app = Via(app)
    app = AccessLog(app, settings.observer)
    return RequestId(app)
