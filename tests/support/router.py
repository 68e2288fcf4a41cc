"""The real router as a process of its own, with a configuration file written for the test."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.support import memory
from tests.support.orthanc import free_port

_LISTENING = re.compile(rb"listening on (http://127\.0\.0\.1:\d+)")
_GUARD = re.compile(r"^guard: .*", re.MULTILINE)
_START_LIMIT = 30.0  # seconds
_STOP_LIMIT = 20.0
_TESTS = Path(__file__).parents[1]

Upstreams = Mapping[str, str | Mapping[str, Any]]


class RouterFailed(RuntimeError):
    """The router did not start or stop as it should, or did what the guard refuses; with its log."""


class Router:
    """`edgerouter serve` over the given upstreams (name → URL, or the whole section).

    `overrides` are merged into the configuration file, mapping by mapping. The port is chosen here and
    written into `public_url`, because dicomweb-client leaves the port out of Host.
    """

    def __init__(
        self, folder: Path, upstreams: Upstreams, overrides: Mapping[str, Any] | None = None
    ) -> None:
        self.folder = folder
        self.configuration = folder / "edgerouter.yaml"
        self.url = ""
        self._upstreams = {
            name: {"url": section} if isinstance(section, str) else dict(section)
            for name, section in upstreams.items()
        }
        self._overrides = overrides or {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def dicomweb(self) -> str:
        """The DICOMweb root, without a slash at the end."""
        return f"{self.url}/dicomweb"

    @property
    def pid(self) -> int:
        """The process. Raises RouterFailed when it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise RouterFailed(f"the router does not run:\n{self.log}")
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has printed since the first start."""
        path = self.folder / "router.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def rss(self) -> int:
        """Its resident memory and its children's, in bytes."""
        return memory.resident(self.pid)

    def start(self) -> Self:
        """Start it and wait until it listens. Raises RouterFailed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for _ in range(3):
            self._write_configuration(free_port())
            if self._run():
                return self
            if "address already in use" not in self.log.lower():
                break
        raise RouterFailed(f"the router did not start:\n{self.log[-4000:]}")

    def stop(self) -> int:
        """SIGTERM, and wait; returns its exit status. Raises RouterFailed if the guard had to refuse."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.terminate()
        try:
            status = process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait()
            raise RouterFailed(f"the router did not stop:\n{self.log[-4000:]}") from error
        if refused := _GUARD.findall(self.log):
            raise RouterFailed("\n".join(refused))
        return status

    def kill(self) -> None:
        """SIGKILL: what a power cut leaves of a process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> Self:
        """Stop it and start it again over the same files; the port may be another."""
        self.stop()
        return self.start()

    def _write_configuration(self, port: int) -> None:
        own = {
            "server": {
                "host": "127.0.0.1",
                "port": port,
                "base_path": "/dicomweb",
                "public_url": f"http://127.0.0.1:{port}/dicomweb",
            },
            "upstreams": self._upstreams,
        }
        whole = json.loads(json.dumps(_merged(own, self._overrides)))  # sections shared would become anchors
        self.configuration.write_text(yaml.safe_dump(whole, sort_keys=False))

    def _run(self) -> bool:
        command = [sys.executable, "-m", "edgerouter", "serve", "-c", str(self.configuration)]
        guarded = os.pathsep.join([str(_TESTS / "support" / "guarded"), str(_TESTS.parent)])
        with open(self.folder / "router.log", "ab") as log:
            said_before = log.tell()
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, env=os.environ | {"PYTHONPATH": guarded}
            )
        deadline = time.monotonic() + _START_LIMIT
        while self._process.poll() is None and time.monotonic() < deadline:
            if match := _LISTENING.search((self.folder / "router.log").read_bytes(), said_before):
                self.url = match[1].decode()
                return True
            time.sleep(0.02)
        self.kill()
        return False


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
