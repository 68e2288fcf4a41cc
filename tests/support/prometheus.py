"""A real Prometheus on a free loopback port, that scrapes what a test names and answers queries.

It takes five seconds to begin: so long it collects changes of its targets, the first ones too."""

import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import yaml

from tests.support.orthanc import free_port

ADVICE = "Prometheus is not installed: run `apt-get install prometheus`"
INTERVAL = 0.3  # seconds between two scrapes
_PATIENCE = 20.0  # seconds


class PrometheusMissing(RuntimeError):
    """There is no Prometheus on this machine; says what to install."""


class Refused(RuntimeError):
    """Prometheus does not understand a query, or cannot answer it."""


class Prometheus:
    """Scrapes the /metrics of `targets` (name → port); each name is the label `instance`."""

    def __init__(self, folder: Path, targets: Mapping[str, int]) -> None:
        self._folder = folder
        self._targets = targets
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = shutil.which("prometheus")
        if program is None:
            raise PrometheusMissing(ADVICE)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(self._configuration()))
        command = [
            program,
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
        ]
        with open(self._folder / "prometheus.log", "wb") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        try:
            self.scraped(1)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._stop()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query. Raises Refused."""
        answer = json.loads(self._get(f"/api/v1/query?query={quote(expression, safe='')}"))
        if answer["status"] != "success":
            raise Refused(answer["error"])
        series: list[dict[str, Any]] = answer["data"]["result"]
        return series

    def _get(self, target: str) -> bytes:
        """Raises ConnectionError while Prometheus is starting."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            if response.status == 503:
                raise ConnectionError("not ready")
            return response.read()
        finally:
            connection.close()

    def scraped(self, times: int) -> None:
        """Wait until every target was scraped so many times more. Raises TimeoutError."""
        before = self._scrapes()
        deadline = time.monotonic() + _PATIENCE
        while any(count < before.get(name, 0) + times for name, count in self._all(self._scrapes()).items()):
            if time.monotonic() > deadline:
                log = (self._folder / "prometheus.log").read_text(errors="replace")
                raise TimeoutError(f"Prometheus does not scrape:\n{log[-4000:]}")
            time.sleep(INTERVAL / 4)

    def _all(self, counts: Mapping[str, float]) -> dict[str, float]:
        return {name: counts.get(name, 0) for name in self._targets}

    def _scrapes(self) -> dict[str, float]:
        """How often each target was scraped with success."""
        try:
            series = self.query("sum_over_time(up[1h])")
        except ConnectionError:
            return {}  # it is still starting
        return {one["metric"]["instance"]: float(one["value"][1]) for one in series}

    def _configuration(self) -> dict[str, Any]:
        targets = [
            {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}}
            for name, port in self._targets.items()
        ]
        interval = f"{int(INTERVAL * 1000)}ms"
        return {
            "global": {"scrape_interval": interval, "scrape_timeout": interval},
            "scrape_configs": [{"job_name": "edgerouter", "static_configs": targets}],
        }

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None
