"""What is outside the DICOMweb root: five pages to read, and nothing else to find."""

import json
import logging

import pytest

from tests.admin.conftest import Routers
from tests.admin.test_status import found
from tests.support.inside import ask

PAGES = ("/healthz", "/readyz", "/metrics", "/status", "/status.json")
ELSEWHERE = (
    *("/", "/admin", "/status/", "/metrics/", "/status.json/x", "/STATUS", "/favicon.ico", "/robots.txt"),
    *("/openapi.json", "/docs", "/redoc", "/swagger", "/graphql", "/api", "/.env", "/.git/config"),
    *("/server-status", "/nginx_status", "/debug", "/debug/pprof/", "/actuator", "/actuator/env", "/console"),
    *("/app/explorer.html", "/system", "/tools/execute-script", "/modalities", "/ui/app/", "/dcm4chee-arc"),
    *("/cache", "/spool", "/config", "/upstreams", "/static/x", "/login", "/shutdown", "/dicomweb/status"),
)


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_is_read_only_never_stored_and_taken_for_what_it_is(routers: Routers, page: str) -> None:
    async with routers.over(found) as edge:
        got = await ask(edge, page)
        head = await ask(edge, page, "HEAD")
        others = [(await ask(edge, page, method)).status for method in ("POST", "PUT", "DELETE")]

    assert (got.status, head.status, head.body, others) == (200, 200, b"", [405, 405, 405])
    assert got.get("cache-control") == "no-store"
    assert got.get("x-content-type-options") == "nosniff"


async def test_the_page_for_people_says_what_a_browser_may_do_with_it(routers: Routers) -> None:
    async with routers.over(found) as edge:
        response = await ask(edge, "/status")

    assert response.get("content-type") == "text/html; charset=utf-8"
    assert "default-src 'none'" in (response.get("content-security-policy") or "")
    assert "frame-ancestors 'none'" in (response.get("content-security-policy") or "")
    assert response.get("referrer-policy") == "no-referrer"


async def test_there_is_nothing_else_to_find(routers: Routers) -> None:
    async with routers.over(found) as edge:
        answers = {target: (await ask(edge, target)).status for target in ELSEWHERE}

    assert set(answers.values()) == {404}, answers


async def test_the_access_log_names_the_page(routers: Routers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="edgerouter.access")
    async with routers.over(found) as edge:
        await ask(edge, "/readyz?CANARY")
    (line,) = [json.loads(record.message) for record in caplog.records if record.name == "edgerouter.access"]

    assert (line["template"], line["transaction"], line["status"]) == ("/readyz", None, 200)
