"""Where the pages are. Each leaves its path for the access log and says so by having no transaction."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edgerouter.admin.exposition import Exposition
from edgerouter.admin.guard import READING
from edgerouter.admin.health import Readiness, healthz
from edgerouter.admin.status import Status
from edgerouter.errors import MethodNotAllowed

Answer = Callable[[Request], Awaitable[Response]]
_ALL = (*READING, "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def pages(status: Status, readiness: Readiness, exposition: Exposition) -> list[Route]:
    """Everything outside the DICOMweb root; it can be read, and nothing else."""
    answers: dict[str, Answer] = {
        "/healthz": healthz,
        "/readyz": readiness.readyz,
        "/metrics": exposition.metrics,
        "/status": status.page,
        "/status.json": status.json,
    }
    return [Route(path, _named(path, answer), methods=_ALL) for path, answer in answers.items()]


def _named(path: str, answer: Answer) -> Answer:
    async def answering(request: Request) -> Response:
        request.state.template = path
        if request.method not in READING:
            raise MethodNotAllowed("This page can only be read.", allow=READING)
        return await answer(request)

    return answering
