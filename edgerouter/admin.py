"""What operators and their tools read, outside the DICOMweb root: health and metrics."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from edgerouter.metrics import REGISTRY

_NO_STORE = {"cache-control": "no-store"}


async def healthz(request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n", headers=_NO_STORE)


async def readyz(request: Request) -> Response:
    """The configuration is in use; upstreams may be down (they are on the status page and in metrics)."""
    return PlainTextResponse("ready\n", headers=_NO_STORE)


async def metrics(request: Request) -> Response:
    """Everything of metrics.py in the Prometheus text format."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST, headers=_NO_STORE)
