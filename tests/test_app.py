"""The wiring: what a configuration says is what runs, and what runs ends with it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgerouter import metrics
from edgerouter.admin import Recent
from edgerouter.app import build, observing
from edgerouter.cache.commands import COMMANDS
from edgerouter.config import Config, load
from edgerouter.dicomweb.resource import Transaction
from edgerouter.fittings import archive, issuers, limits
from edgerouter.upstream.seam import Outbound
from tests.admin.examples import access
from tests.scenarios.edge import JSON, answering, edge_over
from tests.support.inside import ask
from tests.support.listening import listening
from tests.support.raw_client import RawClient
from tests.support.scripted import Reply

ROWS = Reply(body=b"[]", fields=[("Content-Type", JSON)])


def configured(tmp_path: Path, upstream: dict[str, Any], server: dict[str, Any] | None = None) -> Config:
    file = tmp_path / "edgerouter.yaml"
    file.write_text(yaml.safe_dump({"server": server or {}, "upstreams": {"north": upstream}}))
    return load(file)


async def test_the_process_answers_and_is_ready() -> None:
    async with edge_over("http://127.0.0.1:1") as edge:
        for page in ("/healthz", "/readyz"):
            reply = await edge.page(page)
            assert (reply.status, reply.get("cache-control")) == (200, "no-store")
            assert (await edge.page(page, method="HEAD")).status == 200
            assert (await edge.page(page, method="POST")).status == 405


async def test_metrics_tell_of_every_family() -> None:
    async with answering(ROWS) as upstream, edge_over(upstream) as edge:
        assert (await edge.ask("/studies", JSON)).status == 200
        reply = await edge.page("/metrics")

        assert (reply.get("content-type") or "").startswith("text/plain; version=")
        text = reply.body.decode()
        for family in metrics.REGISTRY.collect():
            assert f"# TYPE {family.name}" in text
        assert 'edgerouter_requests_total{resource="collection",status="200",transaction="search"}' in text
        assert (
            'edgerouter_upstream_requests_total{outcome="2xx",transaction="search",upstream="north"}' in text
        )


async def test_the_pages_beside_the_root_are_not_in_it() -> None:
    async with answering(ROWS) as upstream, edge_over(upstream) as edge:
        for path in ("/healthz", "/readyz", "/metrics"):
            (await edge.ask(path)).problem(404)
        assert upstream.connections == 0


async def test_each_transaction_goes_where_it_is_configured(tmp_path: Path) -> None:
    bases = {
        "url": "https://pacs.example/dw",
        "search_url": "https://pacs.example/qido",
        "store_url": "https://store.example/stow",
        "wado_uri_url": "https://pacs.example/wado",
        "aliases": ["http://localhost:8042/dw"],
        "profile": "orthanc",
        "concurrency": 3,
    }
    config = configured(tmp_path, bases)
    async with archive("north", config.upstreams["north"]) as made:
        assert (made.name, made.profile.name) == ("north", "orthanc")
        urls = {each: made.url(Outbound("GET", each, "/studies")) for each in Transaction if made.takes(each)}
        assert urls == {
            Transaction.SEARCH: "https://pacs.example/qido/studies",
            Transaction.RETRIEVE: "https://pacs.example/dw/studies",
            Transaction.STORE: "https://store.example/stow/studies",
            Transaction.WADO_URI: "https://pacs.example/wado/studies",
        }
        assert "http://localhost:8042/dw" in made.bases


async def test_an_archive_of_one_service_takes_no_other(tmp_path: Path) -> None:
    config = configured(tmp_path, {"search_url": "https://pacs.example/qido"})
    async with archive("north", config.upstreams["north"]) as made:
        assert [each for each in Transaction if made.takes(each)] == [Transaction.SEARCH]


async def test_credentials_are_sent_to_the_configured_origins_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_TEST_PASSWORD", "secret")
    auth = {"type": "basic", "username": "edge", "password": {"env": "EDGE_TEST_PASSWORD"}}
    async with answering(ROWS) as upstream:
        config = configured(tmp_path, {"url": f"{upstream.url}/dw", "auth": auth})
        search = Outbound("GET", Transaction.SEARCH, "/studies")
        async with archive("north", config.upstreams["north"]) as made, made.open(search) as answer:
            assert answer.status == 200
        assert upstream.requests[0].get("authorization") == "Basic ZWRnZTpzZWNyZXQ="


async def test_a_missing_secret_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_TEST_PASSWORD", raising=False)
    auth = {"type": "bearer", "token": {"env": "EDGE_TEST_PASSWORD"}}
    app = build(configured(tmp_path, {"url": "https://pacs.example/dw", "auth": auth}))
    with pytest.raises(Exception, match="EDGE_TEST_PASSWORD"):
        async with app.router.lifespan_context(app):
            pass


async def test_the_front_doors_limits_are_the_configured_ones(tmp_path: Path) -> None:
    given = {
        "max_body": "5 MB",
        "max_head": "8 KB",
        "max_connections": 7,
        "request_head_timeout": "3s",
        "write_timeout": "9s",
    }
    bounds = limits(configured(tmp_path, {"url": "http://a.example"}, {"limits": given}).server)
    assert (bounds.max_body, bounds.max_head, bounds.max_connections) == (5_000_000, 8_000, 7)
    assert (bounds.head_timeout, bounds.write_timeout) == (3, 9)


async def test_nothing_outlives_the_app() -> None:
    before = asyncio.all_tasks()
    async with answering(ROWS) as upstream:
        async with edge_over(upstream) as edge:
            assert (await edge.ask("/studies", JSON)).status == 200
            assert edge.archives["north"].transport.idle == 1
        async with asyncio.timeout(5):
            # The upstream's own task ends when its connection does.
            while asyncio.all_tasks() - before:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


def test_an_answer_is_counted_and_remembered() -> None:
    recent = Recent()
    before = metrics.total(metrics.REQUESTS, transaction="retrieve", resource="volume", status="206")
    observing(recent)(access(resource="volume", status=206))

    assert (
        metrics.total(metrics.REQUESTS, transaction="retrieve", resource="volume", status="206") == before + 1
    )
    assert [answered.status for answered in recent.latest()] == [206]


def test_what_was_refused_before_it_was_understood_is_counted_as_such() -> None:
    before = metrics.total(metrics.REQUESTS, transaction="none", resource="none", status="none")
    observing(Recent())(access(transaction=None, resource=None, template=None, status=None))

    assert metrics.total(metrics.REQUESTS, transaction="none", resource="none", status="none") == before + 1


def test_what_the_cache_did_is_counted_in_its_own_word() -> None:
    before = metrics.total(metrics.CACHE_REQUESTS)
    for cache in ("partial", "partial", None):
        observing(Recent())(access(resource="volume", cache=cache))

    assert metrics.total(metrics.CACHE_REQUESTS) == before + 2
    assert metrics.total(metrics.CACHE_REQUESTS, resource="volume", outcome="partial") == 2


def test_the_routers_own_pages_are_neither() -> None:
    recent, before = Recent(), metrics.total(metrics.REQUESTS)
    observing(recent)(access(transaction=None, resource=None, template="/status"))

    assert (recent.latest(), metrics.total(metrics.REQUESTS)) == ((), before)


async def test_what_changes_the_router_is_on_the_admin_listener_only(short_path: Path) -> None:
    config = configured(short_path, {"url": "http://127.0.0.1:1"})
    app = build(config)
    async with app.router.lifespan_context(app), listening(app) as front, listening(app.state.admin) as admin:
        for command in COMMANDS:
            for path in (f"/cache/{command}", f"/dicomweb/cache/{command}"):
                for method in ("GET", "POST"):
                    assert (await ask(front, path, method=method)).status == 404
        assert (await ask(admin, "/cache/stats")).status == 200
        async with RawClient(admin.port) as client:
            json = [("Content-Type", "application/json")]
            purge = await client.ask("/cache/purge", method="POST", fields=json, body=b'{"everything":true}')
            assert (purge.status, purge.complete) == (200, True)
        for page in ("/healthz", "/readyz", "/metrics", "/status", "/status.json"):
            assert (await ask(admin, page)).status == 200
        assert (await ask(admin, "/dicomweb/studies")).status == 404


async def test_the_admin_listener_over_tcp_knows_its_names_and_its_token(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_TOKEN", "s3cret")
    admin = {"host": "10.1.2.3", "port": 1, "token": {"env": "EDGE_TOKEN"}}
    server = {"admin": admin, "cors": {"origins": ["*"]}}
    app = build(configured(short_path, {"url": "http://127.0.0.1:1"}, server))
    shown = "Authorization: Bearer s3cret\r\nOrigin: https://viewer.example\r\n"
    async with app.router.lifespan_context(app), listening(app.state.admin) as edge:
        for host, fields, status in (
            ("10.1.2.3:1", shown, 200),
            ("10.1.2.3:1", "", 401),
            ("rebound.example", shown, 421),
        ):
            async with RawClient(edge.port) as client:
                await client.send(f"GET /status HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode())
                response = await client.response()
            assert response.status == status
            assert response.get("access-control-allow-origin") is None


def test_quotas_and_issuers_are_those_of_the_configuration(short_path: Path) -> None:
    async def found() -> tuple[dict[str, int], dict[str, str]]:
        config = configured(short_path, {"url": "http://127.0.0.1:1", "cache_quota": "5 MB", "issuer": "N"})
        app = build(config)
        async with app.router.lifespan_context(app):
            return dict(app.state.cache.room.quotas), issuers(config)

    assert asyncio.run(found()) == ({"north": 5_000_000}, {"north": "N"})
