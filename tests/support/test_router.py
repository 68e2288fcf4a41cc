"""The router starts, restarts and stops as a process of its own, and its failure to start is told."""

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.router import Router, RouterFailed

NOBODY = {"nobody": "http://127.0.0.1:9/dicom-web"}


def status_of(url: str) -> int:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=20)
    try:
        connection.request("GET", address.path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_it_listens_and_stops(short_path: Path) -> None:
    with Router(short_path, NOBODY) as router:
        assert status_of(f"{router.url}/healthz") == 200
        assert router.rss() > 10_000_000
        assert "listening on" in router.log
        url = router.url
    with pytest.raises(ConnectionRefusedError):
        status_of(url)
    with pytest.raises(RouterFailed, match="does not run"):
        _ = router.pid


def test_it_comes_back_over_the_same_files(short_path: Path) -> None:
    with Router(short_path, NOBODY) as router:
        before = router.pid
        router.restart()
        assert router.pid != before
        assert status_of(f"{router.url}/healthz") == 200
        router.kill()
        router.start()
        assert status_of(f"{router.url}/healthz") == 200


def test_a_configuration_it_refuses_is_shown(short_path: Path) -> None:
    router = Router(short_path, NOBODY, {"server": {"prot": 1}})
    with pytest.raises(RouterFailed, match="prot"):
        router.start()


def test_a_connection_the_guard_refused_fails_the_test(short_path: Path) -> None:
    router = Router(short_path, {"far": "http://192.0.2.1/dicom-web"}).start()
    assert status_of(f"{router.dicomweb}/studies") >= 500
    with pytest.raises(RouterFailed, match=r"guard: refused socket.connect to 192\.0\.2\.1"):
        router.stop()
